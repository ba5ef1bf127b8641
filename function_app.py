"""The function app: composes its blueprints; nothing else."""

import azure.durable_functions as df
import azure.functions as func

from activities import referral_steps
from api import intent_sweep
from api.blueprints import HTTP
from orchestrators import referral_lifecycle

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in (*HTTP, intent_sweep.blueprint, referral_lifecycle.blueprint, referral_steps.blueprint):
    app.register_functions(blueprint)
