// A line chart on a canvas: sharp at any density of pixels, in the colours of the theme, with a
// crosshair for pointer and keyboard. Screen readers meet a slider over time that says the values.

import { h, write } from "../shared/ui.js";
import { clock } from "./format.js";
import { svgElement, uniqueId } from "./parts.js";
import { texts } from "./texts.js";

/**
 * @typedef {{ name: string, color: string, dash?: number[], isFilled?: boolean }} Line how a
 *     column is drawn: `color` names a custom property of the style sheet
 * @typedef {import("./series.js").Values} Values
 * @typedef {{ oldest: number, stepMs: number, columns: Values[] }} Data columns as the lines are
 * @typedef {{ left: number, top: number, width: number, height: number }} Box
 */

const MARGIN = { left: 46, right: 10, top: 10, bottom: 22 };
/** The distance of two labels of the time axis, by the span that is shown; in seconds. */
const TICK_S = [15, 60, 600];
/** How many values the keys Page Up and Page Down go on. */
const LEAP = 10;

/** The least of 1, 2 and 5 times a power of ten that is not below the value. */
function nice(/** @type {number} */ value) {
    const power = 10 ** Math.floor(Math.log10(value));
    const factor = [1, 2, 5].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
    return factor * power;
}

export class Chart {
    /** Called when the crosshair is moved: a time, or null without one. */
    onCursor = (/** @type {number | null} */ _at) => {};
    #canvas = h("canvas", { "aria-hidden": "true" });
    #time = h("span", { class: "chart-time" });
    /** @type {HTMLElement[]} */
    #values;
    #summary;
    #none;
    #plot;
    /** @type {Data} */
    #data;
    /** @type {number | null} */
    #cursor = null;
    #top = 0;

    /**
     * @param {{ title: string, unit: string, none: string, lines: Line[],
     *     format: (value: number | null | undefined) => string }} options `none` is said without values
     */
    constructor({ title, unit, none, lines, format }) {
        this.lines = lines;
        this.unit = unit;
        this.format = format;
        this.#data = { oldest: 0, stepMs: 1000, columns: lines.map(() => []) };
        this.#values = lines.map(() => h("span", { class: "chart-value" }));
        const [titleId, summaryId] = [uniqueId("chart"), uniqueId("summary")];
        this.#summary = h("p", { class: "visually-hidden", id: summaryId });
        const role = { role: "slider", tabindex: "0", "aria-orientation": "horizontal" };
        const names = { "aria-labelledby": titleId, "aria-describedby": summaryId };
        this.#none = h("p", { class: "chart-none muted small" }, none);
        this.#plot = h("div", { class: "chart-plot", ...role, ...names }, this.#canvas, this.#none);
        const legend = lines.map((line, i) =>
            h("li", {}, swatch(line), h("span", { class: "chart-name" }, line.name), this.#values[i]),
        );
        const caption = h("h2", { id: titleId }, title, " ", h("small", {}, unit));
        this.element = h(
            "section",
            { class: "card chart", "aria-labelledby": titleId },
            h("div", { class: "chart-head" }, caption, this.#time),
            h("ul", { class: "chart-legend" }, legend),
            this.#plot,
            this.#summary,
        );
        this.#plot.addEventListener("pointermove", (event) => this.#point(event));
        this.#plot.addEventListener("pointerdown", (event) => this.#point(event));
        this.#plot.addEventListener("pointerleave", () => this.onCursor(null));
        this.#plot.addEventListener("focus", () => this.#say(true));
        this.#plot.addEventListener("blur", () => this.onCursor(null));
        this.#plot.addEventListener("keydown", (event) => this.#key(event));
        new ResizeObserver(() => this.#draw()).observe(this.#plot);
        this.#say();
    }

    /** Shows other values. @param {Data} data */
    show(data) {
        this.#data = data;
        if (this.#cursor != null && this.#cursor < data.oldest) this.#cursor = null;
        this.#say();
        this.#draw();
    }

    /** Puts the crosshair at a time, or takes it away. @param {number | null} at */
    setCursor(at) {
        this.#cursor = at;
        this.#say(true);
        this.#draw();
    }

    get #length() {
        return this.#data.columns[0].length;
    }

    /** The index of the value that is shown: below the crosshair, else the newest. */
    get #index() {
        const last = this.#length - 1;
        if (this.#cursor == null) return last;
        const index = Math.round((this.#cursor - this.#data.oldest) / this.#data.stepMs);
        return Math.min(Math.max(index, 0), last);
    }

    /** @param {number} index */
    #timeOf(index) {
        return this.#data.oldest + index * this.#data.stepMs;
    }

    /** @param {PointerEvent} event */
    #point(event) {
        const { left, width } = this.#box();
        const x = event.clientX - this.#canvas.getBoundingClientRect().left - left;
        const index = Math.round((x / width) * (this.#length - 1));
        this.onCursor(this.#timeOf(Math.min(Math.max(index, 0), this.#length - 1)));
    }

    /** @param {KeyboardEvent} event */
    #key(event) {
        const last = this.#length - 1;
        /** @type {Record<string, number | undefined>} */
        const targets = {
            ArrowLeft: this.#index - 1,
            ArrowDown: this.#index - 1,
            ArrowRight: this.#index + 1,
            ArrowUp: this.#index + 1,
            PageDown: this.#index - LEAP,
            PageUp: this.#index + LEAP,
            Home: 0,
            End: last,
        };
        if (event.key == "Escape") this.onCursor(null);
        const target = targets[event.key];
        if (target == null || last < 0) return;
        event.preventDefault();
        this.onCursor(this.#timeOf(Math.min(Math.max(target, 0), last)));
    }

    /**
     * Writes the values in the legend, and what a screen reader says. It reads a slider that has the
     * focus at each change: new values do not change it, but the reader does.
     */
    #say(isAsked = false) {
        const index = this.#index;
        const values = this.#data.columns.map((column) => this.format(column[index]));
        values.forEach((value, i) => write(this.#values[i], value));
        const at = this.#length ? clock(this.#timeOf(index)) : "";
        write(this.#time, this.#cursor == null ? "" : at);
        this.#none.hidden = this.#data.columns.flat().some((value) => value != null);
        if (document.activeElement == this.#plot && !isAsked) return;
        const said = this.lines.map(({ name }, i) => `${name} ${values[i]}`).join(", ");
        const slider = { min: 0, max: Math.max(this.#length - 1, 0), now: Math.max(index, 0) };
        for (const [name, value] of Object.entries(slider)) {
            this.#plot.setAttribute(`aria-value${name}`, String(value));
        }
        this.#plot.setAttribute("aria-valuetext", texts.chart.at(at, said, this.unit));
        const peaks = this.lines.map(({ name }, i) => {
            const highest = Math.max(...this.#data.columns[i].map((value) => value ?? 0), 0);
            return texts.chart.highest(name, this.format(highest));
        });
        write(this.#summary, `${peaks.join(" ")} ${texts.chart.keys}`);
    }

    /** @returns {Box} */
    #box() {
        const { left, right, top, bottom } = MARGIN;
        const { clientWidth, clientHeight } = this.#plot;
        return {
            left,
            top,
            width: Math.max(1, clientWidth - left - right),
            height: Math.max(1, clientHeight - top - bottom),
        };
    }

    #draw() {
        const { clientWidth, clientHeight } = this.#plot;
        const pen = this.#canvas.getContext("2d");
        if (!pen || !clientWidth || !this.#length) return;
        const density = window.devicePixelRatio || 1;
        const [width, height] = [clientWidth, clientHeight].map((size) => Math.round(size * density));
        if (this.#canvas.width != width) this.#canvas.width = width;
        if (this.#canvas.height != height) this.#canvas.height = height;
        pen.setTransform(density, 0, 0, density, 0, 0);
        pen.clearRect(0, 0, clientWidth, clientHeight);
        const style = getComputedStyle(this.#plot);
        const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
        pen.font = `11px ${style.fontFamily}`;
        const box = this.#box();
        this.#drawLevels(pen, box, color);
        this.#drawTimes(pen, box, color);
        if (this.#cursor != null) this.#drawCursor(pen, box, color);
        this.lines.forEach((line, i) => {
            pen.strokeStyle = pen.fillStyle = color(line.color);
            this.#drawLine(pen, box, line, this.#data.columns[i]);
        });
    }

    /** The axis of values. It grows at once, and shrinks late: a scale that jumps is not read. */
    #drawLevels(
        /** @type {CanvasRenderingContext2D} */ pen,
        /** @type {Box} */ box,
        /** @type {(name: string) => string} */ color,
    ) {
        const highest = Math.max(0, ...this.#data.columns.flat().map((value) => value ?? 0));
        const wanted = highest > 0 ? highest : 1;
        const step = nice(wanted / 3);
        const top = Math.ceil((wanted / step) * (1 - 1e-9)) * step;
        if (top > this.#top || top < this.#top * 0.5) this.#top = top;
        const between = nice(this.#top / 4);
        pen.textAlign = "right";
        pen.textBaseline = "middle";
        pen.lineWidth = 1;
        for (let level = 0; level <= this.#top * (1 + 1e-9); level += between) {
            const y = Math.round(box.top + box.height * (1 - level / this.#top)) + 0.5;
            pen.strokeStyle = color(level ? "--line" : "--line-strong");
            pen.beginPath();
            pen.moveTo(box.left, y);
            pen.lineTo(box.left + box.width, y);
            pen.stroke();
            pen.fillStyle = color("--muted");
            pen.fillText(levelText(level), box.left - 8, y);
        }
    }

    #drawTimes(
        /** @type {CanvasRenderingContext2D} */ pen,
        /** @type {Box} */ box,
        /** @type {(name: string) => string} */ color,
    ) {
        const { oldest, stepMs } = this.#data;
        const spanMs = (this.#length - 1) * stepMs;
        const perLabel = 70;
        const most = Math.max(2, box.width / perLabel);
        const fitting = TICK_S.find((tick) => spanMs / 1000 / tick <= 6.1) ?? 600;
        const tickMs = fitting * 1000 * Math.ceil(spanMs / 1000 / fitting / most);
        pen.textAlign = "center";
        pen.textBaseline = "alphabetic";
        pen.fillStyle = color("--muted");
        pen.strokeStyle = color("--line-strong");
        for (let at = Math.ceil(oldest / tickMs) * tickMs; at <= oldest + spanMs; at += tickMs) {
            const x = Math.round(box.left + (box.width * (at - oldest)) / spanMs) + 0.5;
            pen.beginPath();
            pen.moveTo(x, box.top + box.height);
            pen.lineTo(x, box.top + box.height + 4);
            pen.stroke();
            const half = 26;
            if (x - half < 0 || x + half > box.left + box.width + MARGIN.right) continue;
            pen.fillText(clock(at, tickMs < 60_000), x, box.top + box.height + 17);
        }
    }

    #drawLine(
        /** @type {CanvasRenderingContext2D} */ pen,
        /** @type {Box} */ box,
        /** @type {Line} */ line,
        /** @type {Values} */ values,
    ) {
        const x = (/** @type {number} */ i) => box.left + (box.width * i) / (values.length - 1);
        const y = (/** @type {number} */ value) =>
            box.top + box.height * (1 - Math.min(value / this.#top, 1));
        pen.lineWidth = 1.75;
        pen.lineJoin = "round";
        pen.setLineDash(line.dash ?? []);
        pen.beginPath();
        let isDrawing = false;
        values.forEach((value, i) => {
            if (value == null) {
                isDrawing = false;
                return;
            }
            if (isDrawing) pen.lineTo(x(i), y(value));
            else pen.moveTo(x(i), y(value));
            isDrawing = true;
            // A value between two gaps would be a line without length.
            if (values[i - 1] == null && values[i + 1] == null) {
                pen.fillRect(x(i) - 1.25, y(value) - 1.25, 2.5, 2.5);
            }
        });
        pen.stroke();
        pen.setLineDash([]);
        if (line.isFilled) fillBelow(pen, box, values, x, y);
        const value = values[this.#index];
        if (this.#cursor == null || value == null) return;
        pen.beginPath();
        pen.arc(x(this.#index), y(value), 3.5, 0, 2 * Math.PI);
        pen.fill();
    }

    #drawCursor(
        /** @type {CanvasRenderingContext2D} */ pen,
        /** @type {Box} */ box,
        /** @type {(name: string) => string} */ color,
    ) {
        const x = Math.round(box.left + (box.width * this.#index) / (this.#length - 1)) + 0.5;
        pen.lineWidth = 1;
        pen.strokeStyle = color("--line-strong");
        pen.beginPath();
        pen.moveTo(x, box.top);
        pen.lineTo(x, box.top + box.height);
        pen.stroke();
    }
}

/** A shade below a line, for as long as it has values. */
function fillBelow(
    /** @type {CanvasRenderingContext2D} */ pen,
    /** @type {Box} */ box,
    /** @type {Values} */ values,
    /** @type {(i: number) => number} */ x,
    /** @type {(value: number) => number} */ y,
) {
    const bottom = box.top + box.height;
    pen.globalAlpha = 0.08;
    pen.beginPath();
    values.forEach((value, i) => {
        if (value == null) return;
        if (values[i - 1] == null) pen.moveTo(x(i), bottom);
        pen.lineTo(x(i), y(value));
        if (values[i + 1] == null) pen.lineTo(x(i), bottom);
    });
    pen.fill();
    pen.globalAlpha = 1;
}

/** A level of the axis: short, and without the digits that floating point invents. */
function levelText(/** @type {number} */ level) {
    if (level >= 10_000) return `${Number((level / 1000).toPrecision(3))}k`;
    return String(Number(level.toPrecision(3)));
}

/** The line, in the legend. @param {Line} line */
function swatch({ color, dash = [] }) {
    const box = { class: `chart-swatch ${color.slice(2)}`, viewBox: "0 0 18 12", "aria-hidden": "true" };
    const stroke = { x1: 0, x2: 18, y1: 6, y2: 6, "stroke-dasharray": dash.join(" ") || "none" };
    const svg = svgElement("svg", box);
    svg.append(svgElement("line", stroke));
    return svg;
}
