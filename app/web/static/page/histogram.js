// A photo's score on the histogram of its bank's good photos, in the colours of the reports.
"use strict";

const scoreHistograms = {
  drawn: new Map(),

  // Draw every .histogram inside; those that have left the page are forgotten.
  draw(within = document) {
    for (const [place, chart] of scoreHistograms.drawn) {
      if (!place.isConnected) {
        chart.destroy();
        scoreHistograms.sizes.unobserve(place);
        scoreHistograms.drawn.delete(place);
      }
    }
    for (const place of within.querySelectorAll(".histogram")) {
      scoreHistograms.one(place);
      scoreHistograms.sizes.observe(place);
    }
  },

  again() {
    for (const place of [...scoreHistograms.drawn.keys()]) scoreHistograms.one(place);
  },

  one(place) {
    const said = JSON.parse(place.dataset.histogram);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour("soft"), font, labelFont: font, grid: { show: false }, ticks: { stroke: colour("line") } };
    scoreHistograms.drawn.get(place)?.destroy();
    const marks = [
      { at: said.threshold, text: `threshold ${scoreHistograms.number(said.threshold)}`, colour: colour("ink"), dash: [6, 4], row: 0 },
      {
        at: Math.min(said.score, said.end),
        text: `this photo ${scoreHistograms.number(said.score)}${said.score > said.end ? " →" : ""}`,
        colour: colour(place.dataset.verdict === "anomalous" ? "bad" : "good"), dash: [], row: 1,
      },
    ];
    const options = {
      width: place.clientWidth,
      height: place.clientHeight,
      padding: [44, 12, 0, 0],  // room for the marks' names
      legend: { show: false },
      cursor: { show: false },
      select: { show: false },
      scales: { x: { time: false, range: [said.start, said.end] }, y: { range: (u, low, high) => [0, Math.max(1, high) * 1.05] } },
      axes: [
        { ...axis, label: "score", labelSize: 20, size: 32 },
        { ...axis, label: "good photos", labelSize: 20, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], grid: { show: true, stroke: colour("line"), width: 1 } },
      ],
      series: [
        {},
        { stroke: colour("good"), fill: `color-mix(in srgb, ${colour("good")} 22%, transparent)`, width: 1.8, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) },
      ],
      hooks: { draw: [(chart) => marks.forEach((mark) => scoreHistograms.mark(chart, mark, font, colour("card")))] },
    };
    const data = [said.edges, [...said.counts, 0]];
    scoreHistograms.drawn.set(place, new uPlot(options, data, place));
  },

  // A line from the axis to its name, which stands on the side where there is room.
  mark(chart, { at, text, colour, dash, row }, font, ground) {
    const { ctx, bbox } = chart;
    const dots = devicePixelRatio;
    const x = Math.round(chart.valToPos(at, "x", true));
    const y = bbox.top - (36 - row * 18) * dots;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = (row ? 2.5 : 1.5) * dots;
    ctx.setLineDash(dash.map((length) => length * dots));
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `600 ${12 * dots}px ${font.slice(font.indexOf(" ") + 1)}`;
    const fits = x + ctx.measureText(text).width + 8 * dots < bbox.left + bbox.width;
    ctx.textAlign = fits ? "left" : "right";
    ctx.textBaseline = "top";
    const from = x + (fits ? 6 : -6) * dots, long = ctx.measureText(text).width;
    ctx.fillStyle = ground;
    ctx.fillRect(fits ? from - 2 * dots : from - long - 2 * dots, y, long + 4 * dots, 15 * dots);
    ctx.fillStyle = colour;
    ctx.fillText(text, from, y);
    ctx.restore();
  },

  number: (value) => (Math.abs(value) < 10000 ? String(Number(value.toPrecision(4))) : Math.round(value).toLocaleString("en")),

  sizes: new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const chart = scoreHistograms.drawn.get(target);
      if (chart && target.clientWidth && chart.width !== target.clientWidth) {
        chart.setSize({ width: target.clientWidth, height: target.clientHeight });
      }
    }
  }),
};

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", scoreHistograms.again);
scoreHistograms.draw();
