// The threshold's line: dragged, or moved by the slider. What it would have done is looked up in
// tables that came with the page, so the words change at once; of a number that was typed the
// service is asked, since it may lie between the table's steps or beyond the plot.
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
    const fault = document.getElementById("value-fault");
    const served = ofTable(tables.start);
    let now = served;
    let place = tables.start;
    let held = null;
    let asking = null;

    const number = (value) => (Math.abs(value) < 10_000 ? String(Number(value.toPrecision(4))) : Math.round(value).toLocaleString("en"));
    const percent = (share) => (share < 0.995 ? `${Number((share * 100).toPrecision(2))}\u00a0%` : `${Math.round(share * 100)}\u00a0%`);
    const slot = (name, text) => {
      const found = document.querySelector(`#told [data-slot=${name}]`);
      if (found) found.textContent = text;
    };
    const missed = (effect) => tables.number.bad - effect.above.bad;
    const perDay = (effect) => number(effect.above.week / tables.days);

    // What a threshold of the table would have done.
    function ofTable(at) {
      const above = Object.fromEntries(Object.entries(tables.above).map(([layer, counts]) => [layer, counts[at]]));
      return { value: tables.grid[at], promised: tables.promised[at], above };
    }

    function move(to) {
      place = Math.min(tables.grid.length - 1, Math.max(0, to));
      show(ofTable(place));
    }

    function show(effect) {
      now = effect;
      const { value } = now;
      const isServed = value === served.value;
      const isOutside = value < tables.low || value > tables.high;
      const share = Math.min(1, Math.max(0, (value - tables.low) / (tables.high - tables.low)));
      const x = `${(100 * share).toFixed(3)}%`;
      for (const name of ["x1", "x2"]) document.getElementById("line").setAttribute(name, x);
      document.getElementById("knob").setAttribute("cx", x);
      slider.value = String(place);
      typed.value = isServed ? String(Number(value.toPrecision(6))) : String(value);
      said("");
      slot("value", number(value));
      slot("serves", isServed ? "is the one that serves."
        : `${isOutside ? "(beyond the plot, the line stands at its edge) " : ""}instead of the serving ${number(served.value)}:`);
      slot("training", now.above.training);
      slot("alpha", percent(now.promised));
      slot("week", now.above.week?.toLocaleString("en"));
      slot("day", perDay(now));
      slot("missed", missed(now));
      slot("flagged", now.above.good);
      slider.setAttribute("aria-valuetext", summary());
      reset.disabled = isServed;
    }

    // Why what was typed is not taken; it stays as it stands.
    function said(text) {
      fault.textContent = text;
      if (text) typed.setAttribute("aria-invalid", "true");
      else typed.removeAttribute("aria-invalid");
    }

    // Takes what was typed as it is, or says why not.
    async function take() {
      const text = typed.value.trim().replace(",", ".");
      const value = text ? Number(text) : NaN;
      if (!(Number.isFinite(value) && value >= 0)) {
        return said(`A threshold is a number from 0 on, such as ${number(served.value)}. The line stays at ${number(now.value)}.`);
      }
      if (value === Number(served.value.toPrecision(6))) return move(tables.start);
      const at = nearest(value);
      if (tables.grid[at] === value) return move(at);
      const form = new URLSearchParams({ name: root.dataset.name, value: String(value) });
      try {
        const answer = await (await page.ask(`category/effect?${form}`)).json();
        if (Number(typed.value.trim().replace(",", ".")) !== value) return; // typed on meanwhile
        place = at;
        show(answer);
      } catch (refusal) {
        said(refusal.message);
      }
    }

    // For whoever does not see the words beside the slider.
    function summary() {
      const parts = [number(now.value), `${percent(now.promised)} promised false alarms`];
      if (tables.number.week) parts.push(`${now.above.week} of last week's ${tables.number.week} photos flagged`);
      if (tables.number.bad) parts.push(`${missed(now)} of ${tables.number.bad} reviewed defects missed`);
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
    typed.addEventListener("change", () => { asking = take(); });
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

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await asking;
      if (fault.textContent) return typed.focus();
      if (now.value === served.value) return page.say("This threshold serves already: drag the line to another one.");
      const rows = [
        row("Threshold", number(served.value), number(now.value)),
        row("Promised false alarms", percent(served.promised), percent(now.promised)),
      ];
      if (tables.number.week) rows.push(row(`Photos of the last week flagged, of ${tables.number.week.toLocaleString("en")}`, served.above.week, now.above.week));
      if (tables.number.week && tables.days > 1) rows.push(row("Alarms on a day with photos", perDay(served), perDay(now)));
      if (tables.number.bad) rows.push(row(`Reviewed defects missed, of ${tables.number.bad}`, missed(served), missed(now)));
      if (tables.number.good) rows.push(row(`Reviewed good ones flagged, of ${tables.number.good}`, served.above.good, now.above.good));
      document.getElementById("sure-rows").replaceChildren(...rows);
      dialog.showModal();
    });
    document.getElementById("sure-no").addEventListener("click", () => dialog.close());
    document.getElementById("sure-yes").addEventListener("click", () => {
      typed.value = String(now.value);
      form.method = "post";
      form.action = `threshold?csrf=${encodeURIComponent(page.token)}`;
      form.submit();
    });
  }
}
