"""The least app settings that are accepted, and texts that must not come out again."""

import base64

CANARY = "canary0000secret"
LEAST = {
    "BATCH_ACCOUNT_URLS": "https://myaccount.westeurope.batch.azure.com",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "POLL_SCHEDULE": "0 * * * * *",
}
KEY = base64.b64encode(b"key").decode()
