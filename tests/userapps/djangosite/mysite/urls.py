"""What answers which path."""

from django.http import HttpRequest, JsonResponse
from django.urls import path


async def item(request: HttpRequest, number: int) -> JsonResponse:
    """Return an item by its number."""
    return JsonResponse({"id": number, "name": "chair"})


urlpatterns = [path("items/<int:number>", item)]
