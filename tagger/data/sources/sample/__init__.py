"""The embedded album: photos drawn by code, labelled by imperfect annotators, with the truth kept apart."""

from tagger.data.sources.sample.album import VERSION as VERSION
from tagger.data.sources.sample.album import draw_album as draw_album
