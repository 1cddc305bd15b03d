// The page Now: what is new comes by itself.
"use strict";

{
  const AGAIN_S = 5;
  const MOST_NEWS = 3;
  const link = document.getElementById("link");
  const sound = document.getElementById("sound");
  let source = null;
  let waiting = 0;

  // What the server has rendered and escaped; nothing in it runs.
  const parsed = (html) => {
    const part = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
    page.times(part);
    return document.adoptNode(part);
  };

  // A part in place of another, without taking the focus from whoever is in it.
  function exchange(before, after) {
    const focused = before.contains(document.activeElement)
      ? [...before.querySelectorAll("a, button")].indexOf(document.activeElement) : -1;
    before.replaceWith(after);
    if (focused >= 0) after.querySelectorAll("a, button")[focused]?.focus();
  }

  function showTile(camera, html) {
    const tiles = document.getElementById("tiles");
    if (!tiles) return false; // the first photo ever
    const tile = parsed(html);
    const before = [...tiles.children].find((one) => one.dataset.camera === camera);
    if (!before) return false;
    exchange(before, tile);
    return true;
  }

  function showPins(html, pinned) {
    const after = parsed(html);
    const before = document.getElementById("pins");
    const known = new Map([...before.querySelectorAll("li")].map((one) => [one.dataset.id, one]));
    const focused = document.activeElement;
    for (const one of after.querySelectorAll("li")) {
      const same = known.get(one.dataset.id);
      if (same) one.replaceWith(same); // its picture is not loaded again
      else one.firstElementChild.classList.add("fresh");
    }
    before.replaceWith(after);
    if (focused !== document.activeElement && focused.isConnected) focused.focus();
    document.title = `${pinned ? `(${pinned}) ` : ""}Now · GoodsGuard`;
  }

  function tell(news) {
    const lines = news.length > MOST_NEWS ? [`${news.length} new anomalous verdicts.`] : news;
    const region = document.getElementById("news");
    region.replaceChildren(...lines.map((text) => {
      const line = document.createElement("p");
      line.textContent = text;
      return line;
    }));
  }

  function showFault(text) {
    const place = document.getElementById("fault");
    const line = document.createElement("p");
    line.className = "notice warning";
    line.textContent = text ?? "";
    place.replaceChildren(...(text ? [line] : []));
  }

  function close() {
    clearTimeout(waiting);
    source?.close();
    source = null;
  }

  function later() {
    close();
    waiting = setTimeout(load, AGAIN_S * 1000);
  }

  // The whole board anew: where too much was missed, or nothing can be told.
  async function load() {
    close();
    try {
      const html = await (await page.ask("now/board")).text();
      exchange(document.getElementById("board"), parsed(html));
      const pinned = document.getElementById("pins")?.dataset.pinned ?? "0";
      document.title = `${pinned === "0" ? "" : `(${pinned}) `}Now · GoodsGuard`;
      watch();
    } catch (fault) {
      link.textContent = `${fault.message} Trying again.`;
      later();
    }
  }

  function watch() {
    const number = document.getElementById("board").dataset.number;
    source = new EventSource(`now/events${number ? `?after=${number}` : ""}`);
    source.onopen = () => { link.textContent = "Live"; };
    source.onerror = () => {
      link.textContent = "Not live: trying again";
      if (source?.readyState === EventSource.CLOSED) later();
    };
    source.addEventListener("board", (event) => {
      const { tiles = [], news = [], pins, pinned } = JSON.parse(event.data);
      const shown = tiles.map(([camera, html]) => showTile(camera, html));
      if (pins !== undefined) showPins(pins, pinned);
      if (news.length) {
        tell(news);
        tone();
      }
      if (shown.includes(false)) load(); // a camera that had no tile
    });
    source.addEventListener("fault", (event) => showFault(JSON.parse(event.data).text));
    source.addEventListener("reset", load);
    source.addEventListener("over", () => {
      close();
      page.loginAgain();
    });
  }

  // Sound: off until somebody wants it. Browsers play none before a key or a click.
  let audio = null;

  const wanted = () => localStorage.getItem("goodsguard.sound") === "on";

  function showSound() {
    sound.setAttribute("aria-pressed", String(wanted()));
    sound.querySelector("span").textContent = wanted() ? "Sound on" : "Sound off";
    document.getElementById("silent").hidden = sound.hidden || !wanted() || audio?.state === "running";
  }

  // By a key or a click: before, the browser would refuse.
  function ready() {
    if (!wanted()) return;
    if (!audio) {
      audio = new AudioContext();
      audio.addEventListener("statechange", showSound);
    }
    if (audio.state === "suspended") audio.resume();
  }

  function tone() {
    if (!wanted() || audio?.state !== "running") return;
    const from = audio.currentTime;
    const loud = audio.createGain();
    loud.gain.setValueAtTime(0.0001, from);
    loud.gain.exponentialRampToValueAtTime(0.2, from + 0.02);
    loud.gain.exponentialRampToValueAtTime(0.0001, from + 0.5);
    loud.connect(audio.destination);
    for (const [hertz, at] of [[660, 0], [880, 0.18]]) {
      const note = audio.createOscillator();
      note.frequency.value = hertz;
      note.connect(loud);
      note.start(from + at);
      note.stop(from + at + 0.3);
    }
  }

  sound.hidden = "off" in sound.dataset; // nothing is recorded: nothing will sound
  sound.addEventListener("click", () => {
    localStorage.setItem("goodsguard.sound", wanted() ? "off" : "on");
    ready();
    showSound();
    tone();
  });
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, ready);
  showSound();
  if (document.getElementById("pins") || document.getElementById("fault").children.length) watch();
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) load(); });
}
