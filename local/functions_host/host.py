"""Owns putting the host together, starting and stopping it; does not own any trigger's rules."""

import json
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from azure.functions.meta import Datum

from local.functions_host.admin import Admin
from local.functions_host.azure_queues import AzureQueues
from local.functions_host.clock import Clock, SystemClock
from local.functions_host.functions import HTTP_GROUP, Binding, Function, Index, index_app
from local.functions_host.http_front import HttpFront, serve
from local.functions_host.invoker import Invoker, thread_count
from local.functions_host.keys import load_keys
from local.functions_host.queue_listener import Backoff, ListenerError, QueueListener, poison_queue_name
from local.functions_host.queue_port import Message, QueueService, append, encode
from local.functions_host.routing import Route, RouteError
from local.functions_host.schedules import fires_more_than_once_a_minute, read_schedule
from local.functions_host.settings import HostOptions, SettingError, connection_string, read_host_json
from local.functions_host.timer_status import StatusFile
from local.functions_host.timers import Timer

_LOG = logging.getLogger(__name__)
_ASKED_FOR = "This function was programmatically called via the host APIs."
_HOST_TIME = "%Y-%m-%dT%H:%M:%S.%f%z"


@dataclass(slots=True, kw_only=True)
class Host:
    """A host that listens already and runs functions once started.

    Only the triggers of *group* are started, all when it is None. *ending* is set when the host can't go on.
    """

    index: Index
    group: str | None
    timers: Mapping[str, Timer]
    listeners: Mapping[str, QueueListener]
    routes: Sequence[Route]
    server: ThreadingHTTPServer
    pool: ThreadPoolExecutor
    stopping: Event
    ending: Event
    threads: list[Thread]

    @property
    def port(self) -> int:
        """The port on loopback that answers HTTP."""
        return self.server.server_port

    def triggers(self) -> Mapping[str, Callable[[], None]]:
        """What start() runs: HTTP, which every instance answers, and the other triggers of the group."""
        others = {name: timer.run for name, timer in self.timers.items()}
        others |= {name: listener.run for name, listener in self.listeners.items()}
        mine = {name: run for name, run in others.items() if self.group in {None, name}}
        return {**mine, HTTP_GROUP: self.server.serve_forever}

    def start(self) -> None:
        """Start every trigger of the group, each in its own thread."""
        for name, run in self.triggers().items():
            thread = Thread(target=self._run, args=(run,), name=name, daemon=True)
            thread.start()
            self.threads.append(thread)

    def _run(self, trigger: Callable[[], None]) -> None:
        try:
            trigger()
        except Exception as exc:  # noqa: BLE001 - whatever a trigger can't go on with ends the real host, too
            expected = isinstance(exc, ListenerError)
            _LOG.critical("An unhandled exception has occurred. Host is shutting down: %s", exc, exc_info=not expected)
            self.ending.set()

    def stop(self, grace: timedelta) -> bool:
        """Stop every trigger and wait up to *grace* for functions that are running; whether all have ended."""
        self.stopping.set()
        for listener in self.listeners.values():
            listener.wake.set()
        if self.threads:
            self.server.shutdown()
        self.server.server_close()
        ending = Thread(target=self.pool.shutdown, kwargs={"cancel_futures": True}, daemon=True)
        ending.start()
        for thread in (*self.threads, ending):
            thread.join(grace.total_seconds())
        return not ending.is_alive()


def build(
    app_dir: Path,
    environment: Mapping[str, str],
    *,
    port: int,
    state_dir: Path,
    check_keys: bool,
    ending: Event,
    group: str | None = None,
    connect: Callable[[str], QueueService] = AzureQueues.connect,
) -> Host:
    """The host of the app in *app_dir*, running the triggers of *group* only; *ending* is set if it can't go on.

    *connect* gives the queues of a connection string.

    Raises:
        SettingError: host.json, a connection or the group is wrong. AppError: the app can't be indexed. Both say how
            to mend it.
    """
    options = read_host_json(app_dir)
    index = index_app(app_dir, environment)
    return _Builder(
        options=options,
        index=index,
        environment=environment,
        connect=connect,
        state_dir=state_dir,
        clock=SystemClock(),
        stopping=Event(),
        pool=ThreadPoolExecutor(thread_count(environment), thread_name_prefix="worker"),
        accounts={},
        listeners={},
        timers={},
        routes=[],
        errors=dict(index.errors),
    ).host(port=port, check_keys=check_keys, group=group, ending=ending)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    options: HostOptions
    index: Index
    environment: Mapping[str, str]
    connect: Callable[[str], QueueService]
    state_dir: Path
    clock: Clock
    stopping: Event
    pool: ThreadPoolExecutor
    accounts: dict[str, QueueService]
    listeners: dict[str, QueueListener]
    timers: dict[str, Timer]
    routes: list[Route]
    errors: dict[str, str]

    def host(self, *, port: int, check_keys: bool, group: str | None, ending: Event) -> Host:
        invoker = Invoker(pool=self.pool, send=self._send)
        for function in self.index.functions:
            try:
                self._bind(function, invoker)
            except (SettingError, RouteError) as exc:
                self.errors[function.name] = str(exc)
        sound = tuple(function for function in self.index.functions if function.name not in self.errors)
        index = Index(functions=sound, disabled=self.index.disabled, errors=self.errors)
        http = {function.name: function for function in sound if function.group == HTTP_GROUP}
        front = HttpFront(
            routes=tuple(self.routes),
            functions=http,
            keys=load_keys(self.state_dir / "keys.json", list(http)) if check_keys else None,
            run=lambda function, data: invoker.submit(function, data=data, metadata={}, reason=_ASKED_FOR),
            admin=Admin(
                index=index,
                addresses={route.function: route.template for route in self.routes},
                run=partial(self._run_by_name, invoker, {function.name: function for function in sound}),
            ),
            homepage=self.environment.get("AzureWebJobsDisableHomepage", "").lower() != "true",
        )
        return Host(
            index=index,
            group=self._checked_group(group),
            timers=self.timers,
            listeners=self.listeners,
            routes=self.routes,
            server=serve(front, port),
            pool=self.pool,
            stopping=self.stopping,
            ending=ending,
            threads=[],
        )

    def _checked_group(self, group: str | None) -> str | None:
        groups = {function.group for function in self.index.functions}
        if group is not None and group not in groups:
            raise SettingError(f"no function is in the group {group!r}, there are: {', '.join(sorted(groups))}")
        return group

    def _bind(self, function: Function, invoker: Invoker) -> None:
        for output in function.outputs:
            if output.type == "queue":
                self._account(output)
        if function.trigger.type == "timerTrigger":
            self.timers[function.name] = self._timer(function, invoker)
        elif function.trigger.type == "queueTrigger":
            self.listeners[function.name] = self._listener(function, invoker)
        else:
            properties = function.trigger.properties
            self.routes.append(
                Route.parse(
                    function=function.name,
                    template=properties.get("route") or function.name,
                    prefix=self.options.route_prefix,
                    methods=properties.get("methods"),
                )
            )

    def _timer(self, function: Function, invoker: Invoker) -> Timer:
        properties = function.trigger.properties
        schedule = read_schedule(properties["schedule"])
        dense = fires_more_than_once_a_minute(schedule, self.clock.now())
        monitored = properties.get("useMonitor") is not False and not dense

        def invoke(payload: str) -> None:
            reason = f"Timer fired at {self.clock.now().strftime(_HOST_TIME)}"
            running = invoker.submit(function, data=Datum(payload, "json"), metadata={}, reason=reason)
            running.exception()  # the invoker has logged it; a failing run does not stop the schedule

        return Timer(
            schedule=schedule,
            store=StatusFile(self.state_dir / "timers" / f"{function.name}.json") if monitored else None,
            run_on_startup=bool(properties.get("runOnStartup")),
            invoke=invoke,
            clock=self.clock,
            stopping=self.stopping,
        )

    def _listener(self, function: Function, invoker: Invoker) -> QueueListener:
        account = self._account(function.trigger)
        name = function.trigger.properties["queueName"]
        poison = poison_queue_name(name)

        def process(message: Message, body: str) -> None:
            reason = f"New queue message detected on '{name}'."
            invoker.run(function, data=Datum(body, "string"), metadata=_metadata(message, body), reason=reason)

        return QueueListener(
            queue=account.queue(name),
            poison=None if poison is None else account.queue(poison),
            options=self.options.queues,
            backoff=Backoff(maximum=self.options.queues.max_polling_interval, chance=random.random),
            clock=self.clock,
            submit=lambda work: void(self.pool.submit(work)),
            process=process,
            stopping=self.stopping,
        )

    def _send(self, binding: Binding, body: str) -> None:
        name = binding.properties["queueName"]
        append(self._account(binding).queue(name), encode(body, as_base64=self.options.queues.base64))
        for listener in self.listeners.values():
            if listener.queue.name == name:
                listener.wake.set()

    def _account(self, binding: Binding) -> QueueService:
        connection = connection_string(binding.properties.get("connection") or "AzureWebJobsStorage", self.environment)
        if connection not in self.accounts:
            try:
                self.accounts[connection] = self.connect(connection)
            except ValueError as exc:
                message = f"the connection {binding.properties.get('connection')!r} is no connection string: {exc}"
                raise SettingError(message) from exc
        return self.accounts[connection]

    def _run_by_name(self, invoker: Invoker, functions: Mapping[str, Function], name: str, text: str) -> None:
        timer = self.timers.get(name)
        data = Datum(text, "string") if timer is None else Datum(timer.payload(), "json")
        invoker.submit(functions[name], data=data, metadata={}, reason=_ASKED_FOR)


def void(_: object) -> None:
    """Drop a value that the caller has no use for."""


def _metadata(message: Message, body: str) -> Mapping[str, Datum]:
    return {
        "QueueTrigger": Datum(body, "string"),
        "Id": Datum(message.id, "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "DequeueCount": Datum(json.dumps(message.dequeue_count), "json"),
        "InsertionTime": Datum(json.dumps(message.inserted.isoformat()), "json"),
        "ExpirationTime": Datum(json.dumps(message.expires.isoformat()), "json"),
        "NextVisibleTime": Datum(json.dumps(message.next_visible.isoformat()), "json"),
    }
