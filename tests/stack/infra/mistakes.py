"""The mistakes that people make with a variable, and what they are told: by the template, and by the preflight."""

from tests.stack.infra.ways import CLIENT, MINE

IDS = "BATCH_ACCOUNT_IDS holds what is no resource id of a Batch account"
SWITCH = "is not usable; write true or false"
MISTAKES: dict[str, tuple[dict[str, str], str]] = {
    "no account": ({"BATCH_ACCOUNT_IDS": ""}, "BATCH_ACCOUNT_IDS is missing; write the resource ids"),
    "only commas": ({"BATCH_ACCOUNT_IDS": " , ,"}, "BATCH_ACCOUNT_IDS is missing; write the resource ids"),
    "a name": ({"BATCH_ACCOUNT_IDS": "myaccount"}, f"{IDS} (myaccount); copy it from: az batch account show"),
    "an address": ({"BATCH_ACCOUNT_IDS": "https://myaccount.westeurope.batch.azure.com"}, IDS),
    "an id cut off": ({"BATCH_ACCOUNT_IDS": MINE.rpartition("/")[0]}, IDS),
    "an id without its name": ({"BATCH_ACCOUNT_IDS": MINE.rpartition("/")[0] + "/"}, IDS),
    "a pool": ({"BATCH_ACCOUNT_IDS": f"{MINE}/pools/one"}, IDS),
    "no slash first": ({"BATCH_ACCOUNT_IDS": MINE[1:]}, IDS),
    "a storage account": ({"BATCH_ACCOUNT_IDS": MINE.replace("Batch/batch", "Storage/storage")}, IDS),
    "a placeholder": ({"BATCH_ACCOUNT_IDS": MINE.replace(MINE.split("/")[2], "SUBSCRIPTION")}, IDS),
    "the second of two": ({"BATCH_ACCOUNT_IDS": f"{MINE},other"}, f"{IDS} (other)"),
    "an id beside addresses": ({"BATCH_ACCOUNT_IDS": "x", "BATCH_ACCOUNT_URLS": "https://a.example"}, IDS),
    "network yes": ({"VNET_ENABLED": "yes"}, f"VNET_ENABLED {SWITCH}"),
    "network on": ({"VNET_ENABLED": "on"}, f"VNET_ENABLED {SWITCH}"),
    "roles no": ({"ASSIGN_ROLES": "no"}, f"ASSIGN_ROLES {SWITCH}"),
    "topic f": ({"EVENT_GRID_TOPIC": "f"}, f"EVENT_GRID_TOPIC {SWITCH}"),
    "memory": ({"INSTANCE_MEMORY_MB": "1024"}, "INSTANCE_MEMORY_MB is not usable; write 512, 2048 or 4096"),
    "memory with unit": ({"INSTANCE_MEMORY_MB": "2048MB"}, "INSTANCE_MEMORY_MB is not usable"),
    "no instance": ({"MAXIMUM_INSTANCE_COUNT": "0"}, "MAXIMUM_INSTANCE_COUNT is not usable; write a whole number"),
    "too many instances": ({"MAXIMUM_INSTANCE_COUNT": "1001"}, "MAXIMUM_INSTANCE_COUNT is not usable"),
    "half an instance": ({"MAXIMUM_INSTANCE_COUNT": "1.5"}, "MAXIMUM_INSTANCE_COUNT is not usable"),
    "network too small": ({"VNET_ADDRESS_PREFIX": "10.0.0.0/24"}, "VNET_ADDRESS_PREFIX is no network of /8 to /22"),
    "network without length": ({"VNET_ADDRESS_PREFIX": "10.0.0.0"}, "VNET_ADDRESS_PREFIX is no network"),
    "network of five": ({"VNET_ADDRESS_PREFIX": "10.0.0.0.0/16"}, "VNET_ADDRESS_PREFIX is no network"),
    "network of 256": ({"VNET_ADDRESS_PREFIX": "10.256.0.0/16"}, "VNET_ADDRESS_PREFIX is no network"),
    "two networks": ({"VNET_ADDRESS_PREFIX": "10.0.0.0/16,10.1.0.0/16"}, "VNET_ADDRESS_PREFIX is no network"),
    "the topic's name": (
        {"EVENT_GRID_TOPIC": "true", "WEBHOOKS": '[{"format":"teams", "name": "event-grid"}]'},
        "WEBHOOKS has a webhook named event-grid, as the one of EVENT_GRID_TOPIC is; give it another name",
    ),
    "two fields": ({"POLL_SCHEDULE": "0 *", "ALERT_EMAIL": "a@b.example"}, "POLL_SCHEDULE can't be read; write six"),
    "a step of x": ({"POLL_SCHEDULE": "0 */x * * * *", "ALERT_EMAIL": "a@b.example"}, "POLL_SCHEDULE can't be read"),
    "no minute": ({"POLL_SCHEDULE": "0 60 * * * *"}, "POLL_SCHEDULE can't be read"),
    "client": ({"SIGN_IN_CLIENT_ID": "prepwatch"}, "SIGN_IN_CLIENT_ID is no client id; copy the application"),
    "tenant": ({"SIGN_IN_CLIENT_ID": CLIENT, "SIGN_IN_TENANT_ID": "contoso.com"}, "SIGN_IN_TENANT_ID is no tenant id"),
    "tenant of letters": ({"SIGN_IN_TENANT_ID": CLIENT.replace("6", "z")}, "SIGN_IN_TENANT_ID is no tenant id"),
    "mail": ({"ALERT_EMAIL": "ops"}, "ALERT_EMAIL is no mail address; write one"),
    "two mails": ({"ALERT_EMAIL": "a@b.example;c@d.example"}, "ALERT_EMAIL is no mail address; write one alone"),
    "a mail with a name": ({"ALERT_EMAIL": "Ann <a@b.example>"}, "ALERT_EMAIL is no mail address"),
    "half a mail": ({"ALERT_EMAIL": "ops@"}, "ALERT_EMAIL is no mail address"),
    "action group": ({"ACTION_GROUP_ID": MINE}, "ACTION_GROUP_ID is no resource id of an action group; copy it from"),
}
