"""What a label is confused with: on photos made by hand, and what is no confusion."""

import numpy as np

from tagger.cleaning.tasks.confusions import confused_labels

DOG, WOLF, SNOW, RARE = range(4)


def photos() -> tuple[np.ndarray, np.ndarray]:
    """Forty dogs, half of them in snow; forty wolves, half in snow; twenty of neither, and one that is rare."""
    present = np.zeros((100, 4), dtype=bool)
    present[:40, DOG] = present[40:80, WOLF] = True
    present[:80:2, SNOW] = True
    present[99, RARE] = True
    scores = np.zeros((100, 4))
    scores[:40, DOG], scores[40:80, DOG] = 0.9, 0.4
    return scores, present


def test_a_label_is_confused_with_what_stands_where_it_scores_high_in_vain():
    scores, present = photos()
    assert confused_labels(scores, present, columns=[DOG]) == {DOG: [WOLF]}, "snow goes with both"


def test_a_label_that_is_usual_is_no_confusion():
    scores, present = photos()
    present[:, SNOW] = True
    present[:40, SNOW] = False
    present[80:, SNOW] = True
    # On all of the forty that score high; on 60 of 100 photos anyway, and on no dog.
    assert confused_labels(scores, present, columns=[DOG], least=0.5) == {DOG: [WOLF]}


def test_what_follows_from_a_label_is_not_told_apart_from_it():
    scores, present = photos()
    follows = np.eye(4, dtype=bool)
    follows[WOLF, DOG] = True
    assert confused_labels(scores, present, columns=[DOG], follows=follows) == {}


def test_of_a_label_with_hardly_a_photo_nothing_is_said():
    scores, present = photos()
    assert confused_labels(scores, present, columns=[RARE]) == {}
    assert confused_labels(scores, present | True, columns=[DOG]) == {}
