"""The function app: composes its blueprints; nothing else."""

import azure.durable_functions as df
import azure.functions as func

from activities import referral_steps
from api import (
    creation,
    editing,
    engagements,
    health,
    intent_sweep,
    invitations,
    life_cycle,
    referral_list,
    referrals,
)
from orchestrators import referral_lifecycle

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (
    *(creation, referral_list, referrals, life_cycle, editing, invitations, engagements),
    *(health, intent_sweep, referral_lifecycle, referral_steps),
):
    app.register_functions(module.blueprint)
