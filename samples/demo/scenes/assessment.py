"""A solution assessment: four stages in order, and only then it can be won."""

from samples.demo import deal
from samples.demo.scene import ACCEPTED, RAE, WON, Scene, who

STAGES = ("SecureCustomerLoe", "CollectData", "PrepareAssessmentReport", "PresentToCustomer")


def play(scene: Scene) -> None:
    """A solution assessment."""
    scene.screen.step(f"{who(RAE)}, vetted for assessments, begins one in Seattle")
    created = scene.create(
        RAE, deal.assessment(RAE, scene.service.now()), "SA-CLOUD-MIGRATION, contoso-seattle"
    )
    scene.check("The deal's type", created["dealType"], "SolutionAssessment")
    scene.check("What is allowed", "win" in created["allowedActions"], False)
    scene.show({"Contoso": ACCEPTED})
    scene.screen.step("It cannot be won before its stages are complete")
    scene.is_refused(RAE, "win", {})
    scene.screen.step("All stages in order; none can be skipped")
    scene.is_refused(RAE, "stage", {"stage": "CollectData"})
    for stage in STAGES:
        scene.perform(RAE, "stage", {"stage": stage})
    scene.screen.step("Now it is won")
    scene.perform(RAE, "win", {})
    scene.show({"Contoso": WON})
