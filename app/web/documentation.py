"""GET /docs: every call with examples, to be tried out (Swagger UI)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

# Scripts and styles are this service's own files. Swagger UI draws its icons from data: URLs. What
# is tried out goes to this service alone.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

# Relative, so that it works below a proxy's prefix; `{up}` is where it was asked for as /docs/.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GoodsGuard: the API</title>
<link rel="icon" type="image/png" href="{up}static/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="{up}static/swagger-ui/swagger-ui.css">
<link rel="stylesheet" href="{up}static/documentation.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>Without JavaScript, <a href="{up}openapi.json">openapi.json</a> says the same.</noscript>
<script src="{up}static/swagger-ui/swagger-ui-bundle.js"></script>
<script src="{up}static/documentation.js"></script>
</body>
</html>
"""

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def documentation(request: Request) -> HTMLResponse:
    """The page; it reads /openapi.json."""
    up = "../" if request.scope.get("raw_path", b"").endswith(b"/") else ""
    return HTMLResponse(_PAGE.replace("{up}", up), headers={"Content-Security-Policy": _POLICY})
