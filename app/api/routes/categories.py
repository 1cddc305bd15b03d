"""GET /categories: what is loaded."""

from __future__ import annotations

from fastapi import APIRouter

from ...core.errors import UnknownCategory
from ..category_infos import category_info
from ..problems import responses
from ..schemas import CategoryInfo, CategoryList, CategoryName
from ..services import ServicesDep
from ..versions import known_entry

router = APIRouter(prefix="/categories", tags=["categories"])


@router.get("", summary="All categories", responses=responses())
def list_categories(parts: ServicesDep) -> CategoryList:
    """Every category below the models folder, whether it serves, and with what."""
    entries = parts.registry.entries
    return CategoryList(
        categories=[category_info(parts, name, entry) for name, entry in entries.items()]
    )


@router.get("/{category}", summary="One category", responses=responses(UnknownCategory))
def get_category(parts: ServicesDep, category: CategoryName) -> CategoryInfo:
    """State, bank version, preset, counts, threshold, last evaluation."""
    return category_info(parts, category, known_entry(parts, category))
