"""The function app: registers all triggers."""

import azure.durable_functions as df
import azure.functions as func

from activities import observe
from api import operations
from api.platform import timers
from orchestrators import referral_lifecycle, registration_review

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (operations, timers, referral_lifecycle, registration_review, observe):
    app.register_functions(module.blueprint)
