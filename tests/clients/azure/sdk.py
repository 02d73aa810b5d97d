"""Azure's SDK for Python against the simulated Azure: `sdk.py ENDPOINTS STORY`.

ENDPOINTS is the local cloud's endpoints.json; its ca_file must be trusted by REQUESTS_CA_BUNDLE. A story ends with an
AssertionError where the SDK didn't get what it gets from Azure. What a story needs to go wrong is armed by tests/tests/azure_clients.rs.
"""

import json
import sys
import time

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

with open(sys.argv[1], encoding="utf-8") as file:
    CLOUD = json.load(file)
SERVER = CLOUD["resource_group"], CLOUD["server"]


def login(secret=CLOUD["login"]["client_secret"]):
    return ClientSecretCredential(
        CLOUD["login"]["tenant"],
        CLOUD["login"]["client_id"],
        secret,
        authority=CLOUD["login"]["https"],
        # Entra ID is asked whether it knows an authority of another name; it doesn't know this one.
        disable_instance_discovery=True,
    )


def connect(credential=None, **options):
    """A client that asks every second for an operation's end, unless it is told otherwise: its own default is 30 s."""
    return PostgreSQLManagementClient(
        credential or login(), CLOUD["subscription"], base_url=CLOUD["arm"]["https"], **{"polling_interval": 1, **options}
    )


def expect(actual, expected):
    assert actual == expected, f"{actual!r} instead of {expected!r}"


def refused(kind, call, status, code, *words):
    """Fails unless the call, or the operation that it begins, is refused so; returns the error."""
    try:
        call()
    except kind as error:
        expect((error.status_code, error.error.code), (status, code))
        for word in words:
            assert word in error.error.message, f"no {word!r} in {error.error.message!r}"
        return error
    raise AssertionError(f"{kind.__name__} did not come")


def override(value):
    return {"properties": {"value": value, "source": "user-override"}}


def settle(azure):
    """Waits until the server takes the next write: it is busy for a moment longer than an operation runs."""
    while azure.servers.get(*SERVER).state not in ("Ready", "Stopped"):
        time.sleep(0.05)


def reads():
    azure = connect()
    server = azure.servers.get(*SERVER)
    expect((server.name, server.state, server.version, server.location), (CLOUD["server"], "Ready", "16", "UK South"))
    expect(server.fully_qualified_domain_name, CLOUD["source"]["host"])
    expect(server.administrator_login, CLOUD["source"]["user"])
    expect((server.network.public_network_access, server.high_availability.mode), ("Enabled", "Disabled"))
    expect((server.sku.tier, server.replication_role, server.auth_config.password_auth), ("GeneralPurpose", "Primary", "Enabled"))
    assert server.storage.storage_size_gb > 0 and server.id.endswith(server.name)

    pages = [[server.name for server in page] for page in azure.servers.list_by_subscription().by_page()]
    expect(pages, [[CLOUD["server"], "first"], ["second", "third"], ["fourth"]])
    expect([server.name for server in azure.servers.list_by_resource_group(CLOUD["resource_group"])], [CLOUD["server"]])
    elsewhere = [server for server in azure.servers.list_by_subscription() if server.name == "third"][0].id.split("/")[4]
    expect(azure.servers.get(elsewhere, "third").state, "Ready")

    databases = {database.name: database for database in azure.databases.list_by_server(*SERVER)}
    assert {"azure_maintenance", "azure_sys", "postgres", CLOUD["database"]} <= databases.keys(), databases.keys()
    expect(databases["postgres"].charset, "UTF8")
    expect(azure.databases.get(*SERVER, CLOUD["database"]).name, CLOUD["database"])

    parameters = {parameter.name: parameter for parameter in azure.configurations.list_by_server(*SERVER)}
    assert len(parameters) > 300, len(parameters)
    level = parameters["wal_level"]
    expect((level.value, level.default_value, level.allowed_values), ("replica", "replica", "replica,logical"))
    expect((level.is_dynamic_config, level.is_read_only, level.data_type, level.source), (False, False, "Enumeration", "system-default"))

    for nothing in (azure.replicas, azure.virtual_endpoints, azure.private_endpoint_connections, azure.administrators_microsoft_entra):
        expect(list(nothing.list_by_server(*SERVER)), [])
    for capabilities in (azure.capabilities_by_server.list(*SERVER), azure.capabilities_by_location.list("uksouth")):
        versions = {version.name for capability in capabilities for version in capability.supported_server_versions}
        assert {"14", "15", "16", "17", "18"} <= versions, versions

    group = CLOUD["resource_group"]
    refused(ResourceNotFoundError, lambda: azure.servers.get(group, "nobody"), 404, "ResourceNotFound", "nobody", group)
    refused(ResourceNotFoundError, lambda: azure.servers.get("nowhere", "nobody"), 404, "ResourceGroupNotFound", "nowhere")
    refused(ResourceNotFoundError, lambda: azure.configurations.get(*SERVER, "no_such_thing"), 404, "ResourceNotFound")
    refused(ResourceNotFoundError, lambda: azure.firewall_rules.get(*SERVER, "absent"), 404, "ResourceNotFound")
    try:
        connect(login("wrong")).servers.get(*SERVER)
    except ClientAuthenticationError as error:
        assert "AADSTS7000215" in error.message, error.message
    else:
        raise AssertionError("a wrong secret was taken")


def writes():
    azure = connect()

    def done(poller):
        result = poller.result()
        settle(azure)
        return result

    logical = done(azure.configurations.begin_update(*SERVER, "wal_level", override("logical")))
    expect((logical.value, logical.source, logical.is_config_pending_restart), ("logical", "user-override", True))
    senders = done(azure.configurations.begin_put(*SERVER, "max_wal_senders", override("20")))
    expect((senders.value, senders.is_config_pending_restart), ("20", True))
    expect(done(azure.servers.begin_restart(*SERVER)), None)
    expect(azure.servers.get(*SERVER).state, "Ready")
    for name, value in (("wal_level", "logical"), ("max_wal_senders", "20")):
        parameter = azure.configurations.get(*SERVER, name)
        expect((parameter.value, parameter.is_config_pending_restart), (value, False))

    rule = {"properties": {"startIpAddress": "203.0.113.7", "endIpAddress": "203.0.113.9"}}
    made = done(azure.firewall_rules.begin_create_or_update(*SERVER, "clients", rule))
    expect((made.name, made.start_ip_address, made.end_ip_address), ("clients", "203.0.113.7", "203.0.113.9"))
    assert "clients" in [rule.name for rule in azure.firewall_rules.list_by_server(*SERVER)]
    done(azure.firewall_rules.begin_delete(*SERVER, "clients"))
    done(azure.firewall_rules.begin_delete(*SERVER, "clients"))  # absent: 204, which is no error
    assert "clients" not in [rule.name for rule in azure.firewall_rules.list_by_server(*SERVER)]

    made = done(azure.databases.begin_create(*SERVER, "spare", {"properties": {"charset": "utf8"}}))
    expect((made.name, made.charset), ("spare", "UTF8"))
    done(azure.databases.begin_delete(*SERVER, "spare"))
    refused(ResourceNotFoundError, lambda: azure.databases.get(*SERVER, "spare"), 404, "ResourceNotFound")

    change = {"tags": {"owner": "bikes"}, "properties": {"storage": {"autoGrow": "Disabled", "storageSizeGB": 256}}}
    changed = done(azure.servers.begin_update(*SERVER, change))
    expect((changed.tags, changed.storage.auto_grow, changed.storage.storage_size_gb), ({"owner": "bikes"}, "Disabled", 256))

    done(azure.servers.begin_stop(*SERVER))
    expect(azure.servers.get(*SERVER).state, "Stopped")
    done(azure.servers.begin_start(*SERVER))
    expect(azure.servers.get(*SERVER).state, "Ready")


def busy():
    """One write at a time, and the SDK doesn't try again by itself."""
    azure = connect()
    first = azure.configurations.begin_update(*SERVER, "work_mem", override("8192"))
    second = lambda: azure.configurations.begin_update(*SERVER, "work_mem", override("4096"))
    refused(ResourceExistsError, second, 409, "ServerIsBusy", "is busy processing another operation")
    expect(first.result().value, "8192")


def throttled():
    """429 with Retry-After: the SDK itself comes again."""
    azure = connect()
    expect(azure.servers.get(*SERVER).name, CLOUD["server"])
    expect(azure.configurations.begin_update(*SERVER, "work_mem", override("8192")).result().value, "8192")


def fails():
    """Operations that are accepted and then fail: code and message arrive."""
    azure = connect()

    def change(name, value):
        settle(azure)
        return azure.configurations.begin_update(*SERVER, name, override(value))

    refused(HttpResponseError, lambda: change("bytea_output", "escape").result(), 200, "ServerBusy", "try again later")
    refused(HttpResponseError, lambda: change("max_slot_wal_keep_size", "100").result(), 200, "OperationFailed", "{0}")
    refused(HttpResponseError, lambda: change("wal_level", "minimal"), 400, "InvalidParameterValue", "replica,logical")
    expect(azure.configurations.get(*SERVER, "bytea_output").source, "system-default")


def unhurried():
    """Nobody says when to come back, so the SDK does as it likes: it looks again after 30 s."""
    azure = PostgreSQLManagementClient(login(), CLOUD["subscription"], base_url=CLOUD["arm"]["https"])
    expect(azure.configurations.begin_update(*SERVER, "work_mem", override("8192")).result().value, "8192")


if __name__ == "__main__":
    {story.__name__: story for story in (reads, writes, busy, throttled, fails, unhurried)}[sys.argv[2]]()
