"""The page of the studies of races, docs/pick-statistics.md."""

from tests.truth.pages import Page
from tests.truth.picks_cases import fast, whole
from tests.truth.picks_document import document

PAGE = Page(name="picks", file="pick-statistics.md", fast=fast, whole=whole, document=document)
