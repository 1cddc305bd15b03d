"""Health: placeholder."""

from __future__ import annotations

from fastapi import APIRouter

from ..page_route import PageRoute

router = APIRouter(prefix="/page", include_in_schema=False, route_class=PageRoute)
