"""What of a status's texts may be kept."""

from shared.batch.model import ContainerInfo, ExecutionInfo, FailureInfo, NameValuePair, NodeStatus
from shared.batch.texts import clean_status

DIRTY = "before\x1b sig=canary " + "x" * 10_000


def test_every_text_of_a_status_is_cleaned() -> None:
    """Secrets and control characters leave every text of both phases, each is capped, details at sixteen pairs."""
    info = ExecutionInfo(
        state=DIRTY,
        result=DIRTY,
        exit_code=1,
        failure_info=FailureInfo(
            category=DIRTY, code=DIRTY, message=DIRTY, details=(NameValuePair(name=DIRTY, value=DIRTY),) * 40
        ),
        container_info=ContainerInfo(container_id=DIRTY, state=DIRTY, error=DIRTY),
        task_root_directory=DIRTY,
        task_root_directory_url=DIRTY,
    )

    status = clean_status(NodeStatus(pool_id="p", node_id="n", node_url=DIRTY, preparation=info, release=info))

    assert "canary" not in repr(status)
    assert "\\x1b" not in repr(status)
    assert status.preparation == status.release
    assert status.preparation is not None
    failure, container = status.preparation.failure_info, status.preparation.container_info
    assert failure is not None
    assert failure.details is not None
    assert container is not None
    assert len(failure.details) == 16
    for text in (failure.message, failure.details[0].value, container.error, status.node_url):
        assert text is not None
        assert 4000 < len(text.encode()) <= 4096
    for word in (status.preparation.state, status.preparation.result, failure.category, failure.code, container.state):
        assert word is not None
        assert len(word.encode()) <= 256


def test_a_clean_status_stays_and_cleaning_again_changes_nothing() -> None:
    """What has nothing to hide is kept as it is, absent parts too."""
    plain = NodeStatus(node_id="n", preparation=ExecutionInfo(failure_info=FailureInfo(code="DiskFull", details=())))
    dirty = clean_status(NodeStatus(node_id="n", node_url=DIRTY, release=ExecutionInfo(state=DIRTY)))

    assert clean_status(plain) == plain
    assert clean_status(dirty) == dirty


def test_a_url_below_the_nodes_is_as_clean_as_its_parts() -> None:
    """A directory's URL that goes on where the node's ends hides nothing, because its parts are cleaned."""
    for node_url, directory in (("https://a/nodes/n", "work/x"), ("https://a?sig=canary", "d"), ("https://a", DIRTY)):
        url = f"{node_url}/files/{directory}"
        info = ExecutionInfo(task_root_directory=directory, task_root_directory_url=url)
        told = clean_status(NodeStatus(node_url=node_url, preparation=info)).preparation
        assert told is not None
        assert told.task_root_directory_url is not None
        assert "canary" not in told.task_root_directory_url
        assert len(told.task_root_directory_url.encode()) <= 4096
        assert (told.task_root_directory_url == url) is (url == "https://a/nodes/n/files/work/x")
    long = ExecutionInfo(task_root_directory="d" * 3000, task_root_directory_url="u" * 3000 + "/files/" + "d" * 3000)
    told = clean_status(NodeStatus(node_url="u" * 3000, preparation=long)).preparation
    assert told is not None
    assert told.task_root_directory_url is not None
    assert len(told.task_root_directory_url) <= 4096


def test_a_pair_whose_name_says_so_has_its_value_hidden() -> None:
    """What stands beside a name such as AccountKey is a secret however it looks; other pairs stay."""
    details = (NameValuePair(name="AccountKey", value="hunter2"), NameValuePair(name="FilePath", value="a.txt"))
    info = ExecutionInfo(failure_info=FailureInfo(details=details))

    told = clean_status(NodeStatus(node_id="n", preparation=info)).preparation
    assert told is not None
    assert told.failure_info is not None
    assert [pair.value for pair in told.failure_info.details or ()] == ["[redacted]", "a.txt"]
