// The threshold's line: dragged, or moved by the slider. What it would have done is looked up in
// tables that came with the page, so the words change at once.
"use strict";

{
  const root = document.getElementById("trial");
  if (root) start(root, JSON.parse(root.dataset.tables));

  function start(root, tables) {
    const plot = document.getElementById("plot");
    const slider = document.getElementById("slider");
    const form = document.getElementById("use");
    const typed = document.getElementById("value");
    const reset = document.getElementById("reset");
    const dialog = document.getElementById("sure");
    let place = tables.start;
    let held = null;

    const number = (value) => (Math.abs(value) < 10_000 ? String(Number(value.toPrecision(4))) : Math.round(value).toLocaleString("en"));
    const percent = (share) => (share < 0.995 ? `${Number((share * 100).toPrecision(2))}\u00a0%` : `${Math.round(share * 100)}\u00a0%`);
    const slot = (name, text) => {
      const found = document.querySelector(`#told [data-slot=${name}]`);
      if (found) found.textContent = text;
    };
    const above = (layer, at) => tables.above[layer]?.[at] ?? 0;
    const missed = (at) => tables.number.bad - above("bad", at);

    function move(to) {
      place = Math.min(tables.grid.length - 1, Math.max(0, to));
      const value = tables.grid[place];
      const x = `${((100 * (value - tables.low)) / (tables.high - tables.low)).toFixed(3)}%`;
      for (const name of ["x1", "x2"]) document.getElementById("line").setAttribute(name, x);
      document.getElementById("knob").setAttribute("cx", x);
      slider.value = String(place);
      typed.value = place === tables.start ? number(value) : String(value);
      slot("value", number(value));
      slot("serves", place === tables.start ? "is the one that serves." : `instead of the serving ${number(tables.grid[tables.start])}:`);
      slot("training", above("training", place));
      slot("alpha", percent(tables.promised[place]));
      slot("week", above("week", place).toLocaleString("en"));
      slot("day", number(above("week", place) / tables.days));
      slot("missed", missed(place));
      slot("flagged", above("good", place));
      slider.setAttribute("aria-valuetext", summary());
      reset.disabled = place === tables.start;
    }

    // For whoever does not see the words beside the slider.
    function summary() {
      const parts = [number(tables.grid[place]), `${percent(tables.promised[place])} promised false alarms`];
      if (tables.number.week) parts.push(`${number(above("week", place) / tables.days)} alarms a day`);
      if (tables.number.bad) parts.push(`${missed(place)} of ${tables.number.bad} reviewed defects missed`);
      return parts.join(", ");
    }

    // The place on the grid nearest to a value.
    function nearest(value) {
      let low = 0;
      let high = tables.grid.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (tables.grid[middle] < value) low = middle + 1;
        else high = middle;
      }
      return low > 0 && value - tables.grid[low - 1] < tables.grid[low] - value ? low - 1 : low;
    }

    function toPointer(event) {
      const box = plot.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      move(nearest(tables.low + share * (tables.high - tables.low)));
    }

    root.classList.add("dragged");
    for (const hidden of ["slider", "slider-label", "drag-hint", "reset"]) document.getElementById(hidden).hidden = false;
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held = event.pointerId;
      toPointer(event);
    });
    // Of the whole page: a hand that drags does not stay within the plot.
    document.addEventListener("pointermove", (event) => {
      if (event.pointerId === held) toPointer(event);
    });
    for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { held = null; });
    slider.addEventListener("input", () => move(Number(slider.value)));
    typed.addEventListener("change", () => {
      const value = Number(typed.value.replace(",", "."));
      move(typed.value.trim() && Number.isFinite(value) ? nearest(value) : place);
    });
    reset.addEventListener("click", () => move(tables.start));
    move(tables.start);

    function row(words, before, after) {
      const line = document.createElement("tr");
      for (const [kind, text] of [["th", words], ["td", before], ["td", after]]) {
        const cell = document.createElement(kind);
        if (kind === "th") cell.scope = "row";
        cell.textContent = text;
        line.append(cell);
      }
      return line;
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (place === tables.start) return page.say("This threshold serves already: drag the line to another one.");
      const was = tables.start;
      const rows = [
        row("Threshold", number(tables.grid[was]), number(tables.grid[place])),
        row("Promised false alarms", percent(tables.promised[was]), percent(tables.promised[place])),
      ];
      if (tables.number.week) rows.push(row("Alarms a day", number(above("week", was) / tables.days), number(above("week", place) / tables.days)));
      if (tables.number.bad) rows.push(row(`Reviewed defects missed, of ${tables.number.bad}`, missed(was), missed(place)));
      if (tables.number.good) rows.push(row(`Reviewed good ones flagged, of ${tables.number.good}`, above("good", was), above("good", place)));
      document.getElementById("sure-rows").replaceChildren(...rows);
      dialog.showModal();
    });
    document.getElementById("sure-no").addEventListener("click", () => dialog.close());
    document.getElementById("sure-yes").addEventListener("click", () => {
      form.elements.confirmed.value = "yes";
      form.submit();
    });
  }
}
