"""The URLs of the durable HTTP API, and what a durable client binding receives."""

import json

RPC_PATH = "/durabletask"
WEBHOOK_PATH = "/runtime/webhooks/durabletask"


def management_urls(origin: str, hub: str, instance_id: str) -> dict[str, str]:
    """Return the management URLs of an instance."""
    instance = f"{origin}{WEBHOOK_PATH}/instances/{instance_id}"
    query = f"taskHub={hub}&connection=Storage&code=devhost"
    return {
        "id": instance_id,
        "statusQueryGetUri": f"{instance}?{query}",
        "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
        "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
        "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
        "purgeHistoryDeleteUri": f"{instance}?{query}",
        "restartPostUri": f"{instance}/restart?{query}",
        "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
        "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
    }


def client_json(origin: str, hub: str) -> str:
    """Return the value of a durable client binding."""
    base, query = f"{origin}{WEBHOOK_PATH}", "code=devhost"
    create = f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"
    return json.dumps(
        {
            "taskHubName": hub,
            "connectionName": None,
            "creationUrls": {
                "createNewInstancePostUri": f"{create}?{query}",
                "createAndWaitOnNewInstancePostUri": (
                    f"{create}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}&{query}"
                ),
            },
            "managementUrls": management_urls(origin, hub, "INSTANCEID"),
            "baseUrl": base,
            "requiredQueryStringParameters": query,
            "rpcBaseUrl": f"{origin}{RPC_PATH}/",
            "httpBaseUrl": base,
        }
    )
