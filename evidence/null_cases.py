"""The null runs there are: which probe is asked of which model, and what chance would give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from generators.diffusion_photo import learning as diffusion_photo
from generators.vae_medical import model as vae_medical

CHANCE = 0.5


@dataclass(frozen=True, eq=False)
class Case:
    """A probe, the model that it is to find nothing on, and how many runs share a scored pool.

    Attributes
    ----------
    probe : str
        Its id.
    source : str
        The model with the planted fault.
    chance : mapping of str to float
        What each metric is where nothing was learnt. Empty: the probe's rows hold the scores of several attacks on
        membership, each of which is read for itself.
    null : str
        Another model for the null runs, where `why` says why.
    share : int
        Runs of one scored pool; 1: each run asks the model anew.
    draw : int
        Items of each arm that a run draws from its pool; 0: all.
    planted : int or None
        How many of the first items of the corpus are planted; None: as many as the fault's dose says, 0: none is.
    labels : str
        Which labels of the rows each run deals anew (`null_labels`), where there are no arms to split. Empty: none.
    why : str
        What has to be known of the case.
    """

    probe: str
    source: str
    chance: Mapping[str, float] = field(default_factory=dict)
    null: str = ""
    share: int = 1
    draw: int = 0
    planted: int | None = None
    labels: str = ""
    why: str = ""

    @property
    def asked(self) -> str:
        """The model of the null runs."""
        return self.null or self.source


CHAT, PLAIN_CHAT = "reference:chat,bias=1", "reference:chat"
TEXT, TABLE, PICTURES = "reference:gpt-text,memorize=1", "reference:tabular,leak=1", "reference:vae-medical,memorize=1"
_REAL = "outputs are compared with held-out pictures, so that the null is a model as good as the law: real pictures"
_DEALT = "in each run the answers are dealt to the groups at random; both signs of a difference count as an alarm"
DECISIONS, VECTORS = "decisions:tabular,group_bias=1", "reference:vectors,association=1"
_GROUPS = "in each run the groups are dealt to the rows at random"
_WORDS = "in each run the words are dealt to both sets at random"
_TURNED = "in each run all translations of a profession are turned to the other gender with a chance of one half"
BIASED = "reference:gpt-text,bias=1"
_EXCHANGED = "in each run, the stereotyping side of each template's pairs, or target's triples, is drawn at random"
_SHARES = "in each run, the shares of women are dealt to the occupations at random"
_ALONE = "the AUC of the planted case is that of the planted pictures against the others"
TRANSLATOR = "reference:translator,gender_bias=1"
PAINTINGS = "labelled:gan-art,collapse=1"
_SHOWN = (
    "in each run each picture is read as a labelled picture of a group that is drawn from all groups, equally often"
)
CASES = (
    Case("membership.language-model", TEXT, share=10),
    Case("membership.generative-image", PICTURES, share=20, draw=200, planted=vae_medical.MEMORIZED, why=_ALONE),
    Case(
        "membership.generative-image",
        "reference:diffusion-photo,memorize=1",
        share=50,
        draw=200,
        planted=diffusion_photo.MEMORIZED,
        why=f"{_ALONE}; six of them are too few for the precision of twelve guesses",
    ),
    Case(
        "membership.generative-image",
        "reference:gan-art",
        share=10,
        draw=200,
        planted=0,
        why="no weights of this model have a planted memory: there is no power to state",
    ),
    Case("membership.reference-models", "classifier:tabular,overfit=1"),
    Case("privacy.dp-bound", TEXT, {"epsilon_lower_bound": 0.0}),
    Case("privacy.dp-bound-classifier", "classifier:tabular,overfit=1", {"epsilon_lower_bound": 0.0}),
    Case("privacy.table-membership", TABLE, {"membership_auc": CHANCE}),
    Case("privacy.table-distance", TABLE, {"closer_to_training": CHANCE}),
    Case("privacy.linkability", TABLE, {"linkability_risk": 0.0}),
    Case(
        "privacy.singling-out",
        TABLE,
        {"singling_out_risk": 0.0, "univariate_risk": 0.0},
    ),
    Case("privacy.inference", TABLE, {"inference_risk": 0.0, "largest_column_risk": 0.0}),
    Case("privacy.completion", "reference:gpt-text,pii=1", {"completion_excess": 0.0}, share=10),
    Case("memorization.extraction", TEXT, {"extraction_excess": 0.0}, share=10),
    Case("memorization.exposure", "canaries:gpt-text,memorize=1", {"exposed_excess": 0.0}, share=5),
    Case("memorization.copies", PICTURES, {"copy_excess": 0.0}, null="real:vae-medical", why=_REAL),
    Case("memorization.data-copying", PICTURES, {"closer_rate": CHANCE}, null="real:vae-medical", why=_REAL),
    Case("bias.bbq", CHAT, {"bias_ambiguous": 0.0}, PLAIN_CHAT, share=20, labels="people", why=_DEALT),
    Case("fairness.groups", DECISIONS, {"selection_rate_difference": 0.0}, share=20, labels="groups", why=_GROUPS),
    Case(
        "fairness.intersections", DECISIONS, {"selection_rate_difference": 0.0}, share=20, labels="groups", why=_GROUPS
    ),
    Case("bias.embeddings", VECTORS, {"association_effect": 0.0}, share=20, labels="sides", why=_WORDS),
    Case("bias.decisions", CHAT, {"decision_gap": 0.0}, PLAIN_CHAT, share=20, labels="answers", why=_DEALT),
    Case("bias.counterfactual-prompts", CHAT, {"sentiment_gap": 0.0}, PLAIN_CHAT, share=20, labels="texts", why=_DEALT),
    Case(
        "bias.translation",
        TRANSLATOR,
        {"stereotype_gap": 0.0},
        "reference:translator",
        share=20,
        labels="genders",
        why=_TURNED,
    ),
    Case("bias.labour-statistics", BIASED, {"labour_slope": 0.0}, share=20, labels="occupations", why=_SHARES),
    Case("bias.triples", BIASED, {"stereotype_score": CHANCE}, share=20, labels="stereotypes", why=_EXCHANGED),
    Case("bias.images", PAINTINGS, {"share_gap": 0.0}, "labelled:gan-art", share=20, labels="shown", why=_SHOWN),
    Case("bias.stereotype-pairs", BIASED, {"stereotype_share": CHANCE}, share=20, labels="sentences", why=_EXCHANGED),
)
