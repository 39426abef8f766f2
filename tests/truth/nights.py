"""The page of the studies of nights, docs/nightly-statistics.md."""

from tests.truth.nights_cases import fast, whole
from tests.truth.nights_document import document
from tests.truth.pages import Page

PAGE = Page(name="nights", file="nightly-statistics.md", fast=fast, whole=whole, document=document)
