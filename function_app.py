"""The function app: composes its blueprints; nothing else."""

import azure.durable_functions as df
import azure.functions as func

from activities import referral_steps, review_steps
from api.blueprints import HTTP
from api.platform import purge_timer as history_purge
from api.platform import sweep_timer as intent_sweep
from orchestrators import referral_lifecycle, registration_review

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
DURABLE = (referral_lifecycle, referral_steps, registration_review, review_steps)
TIMERS = (intent_sweep, history_purge)
for blueprint in (*HTTP, *(module.blueprint for module in (*TIMERS, *DURABLE))):
    app.register_functions(blueprint)
