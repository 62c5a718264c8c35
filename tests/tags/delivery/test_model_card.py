"""The card says what the figures rest on."""

from tagger.tags.delivery.manifest import BundleLabel, Manifest
from tagger.tags.delivery.model_card import model_card

MANIFEST = Manifest((BundleLabel("dog", {"en": "dog"}, 0.5),), {"size": 224, "fit": "crop"}, 18)


def test_a_test_fold_that_is_not_clean_is_a_warning():
    quiet = model_card(MANIFEST, name="album", metrics={"test/map": 0.5})
    assert "Nobody has measured how many labels of the test fold are wrong" in quiet
    bounds = {"high": 0.01, "present_high": 0.081, "absent_high": 0.009, "looked_at": 400.0, "wrong": 7.0}
    measured = {f"test_noise/{name}": value for name, value in bounds.items()}
    loud = model_card(MANIFEST, name="album", metrics={"test/map": 0.5} | measured)
    assert "\n**Of the labels on the test photos up to 8.1 % may be wrong" in loud
    assert "looked at, 7 wrong" in loud


def test_without_figures_nothing_rests_on_the_test_fold():
    assert "test fold are wrong" not in model_card(MANIFEST, name="album", metrics={})
