"""The function app: registers all triggers."""

import azure.durable_functions as df
import azure.functions as func

from activities import observe, steps
from api import operations
from api.platform import purge_timer, sweep_timer
from orchestrators import referral_lifecycle, registration_review

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
DURABLE = (referral_lifecycle, registration_review, observe, steps)
TIMERS = (sweep_timer, purge_timer)
for blueprint in (operations.blueprint, *(module.blueprint for module in (*TIMERS, *DURABLE))):
    app.register_functions(blueprint)
