"""An event in words, for people."""

from __future__ import annotations

from ...records.events import Event


def title(event: Event) -> str:
    """One line."""
    what = (event.category or "").replace("_", " ")
    match event.kind:
        case "alarm.raised":
            return f"Damaged {what} at {event.camera}"
        case "alarm.cleared":
            return f"No more damaged {what} at {event.camera}"
        case "camera.lost":
            return f"Camera {event.camera} is lost"
        case "camera.back":
            return f"Camera {event.camera} is back"
        case "camera.blind":
            return f"Camera {event.camera} is blind: its photos cannot be judged"
        case "camera.sees":
            return f"Camera {event.camera} sees again"


def text(event: Event) -> str:
    """Some lines: when, how sure, why, where to look."""
    body = event.body
    lines = [event.time.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z").strip()]
    score, threshold = body.get("score"), body.get("threshold")
    if event.kind == "alarm.raised" and isinstance(score, int | float):
        limit = f", above {threshold:.3g}" if isinstance(threshold, int | float) else ""
        lines.append(f"Score {score:.3g}{limit}")
    if "anomalous" in body:
        lines.append(f"{body['anomalous']} of the last {body['of']} photos")
    if (reason := body.get("reason")) is not None:
        lines.append(str(reason))
    if (lasted := body.get("lasted_s")) is not None:
        lines.append(f"It lasted {_duration(lasted)}")
    links = body.get("links")
    if isinstance(links, dict):
        lines += [str(link) for link in links.values()]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
