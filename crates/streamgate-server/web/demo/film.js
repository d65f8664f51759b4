// The film: drawn on a canvas, so that the demo needs no download. A reel of 96 seconds, which then
// begins again: a title, dusk, night, dawn over a sea with a lighthouse.

import { texts } from "./texts.js";

const WIDTH = 960;
const HEIGHT = 540;
/** The bars above and below a wide picture. */
const BAR = 56;
const HORIZON = 318;
const FRAMES_PER_S = 24;
const REEL_S = 96;
const TITLE_S = 9;

/** The light of a time of the reel: when, and its colours. */
const LIGHT = [
    { at: 9, top: [38, 44, 84], low: [233, 142, 92], sea: [52, 58, 88], stars: 0 },
    { at: 30, top: [22, 26, 60], low: [186, 92, 96], sea: [32, 38, 66], stars: 0.3 },
    { at: 44, top: [7, 10, 26], low: [24, 36, 66], sea: [10, 16, 34], stars: 1 },
    { at: 70, top: [7, 10, 26], low: [26, 40, 70], sea: [10, 16, 34], stars: 1 },
    { at: 88, top: [74, 96, 140], low: [246, 196, 170], sea: [84, 104, 132], stars: 0 },
    { at: 96, top: [96, 124, 168], low: [252, 218, 186], sea: [104, 128, 152], stars: 0 },
];

/** Stars, birds and waves at fixed places: the same film on every device. */
const random = (() => {
    let state = 7;
    return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
})();
const STARS = Array.from({ length: 150 }, () => ({
    x: random() * WIDTH,
    y: BAR + random() * (HORIZON - BAR - 20),
    size: 0.4 + random() * 1.1,
    phase: random() * 7,
}));

/** @param {number} from @param {number} to @param {number} part */
const mix = (from, to, part) => from + (to - from) * part;
/** How far a value is from one bound to the other, smoothly. */
const ramp = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ value) => {
    const part = Math.min(1, Math.max(0, (value - from) / (to - from)));
    return part * part * (3 - 2 * part);
};
/** 0, 1, 0: shown between two times, with a second to come and to go. */
const between = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ time) =>
    ramp(from, from + 1, time) * (1 - ramp(to - 1, to, time));
/** @param {number[]} colour @param {number} [alpha] */
const rgb = ([red, green, blue], alpha = 1) => `rgb(${red} ${green} ${blue} / ${alpha})`;

/** @param {number} time */
function lightAt(time) {
    const next = Math.max(1, LIGHT.findIndex(({ at }) => at > time));
    const [from, to] = [LIGHT[next - 1], LIGHT[next]];
    const part = ramp(from.at, to.at, time);
    /** @type {(name: "top" | "low" | "sea") => number[]} */
    const colour = (name) => from[name].map((value, index) => Math.round(mix(value, to[name][index], part)));
    return { top: colour("top"), low: colour("low"), sea: colour("sea"), stars: mix(from.stars, to.stars, part) };
}

/** A film that runs while it is played. */
export class Film {
    /** Where it is, in seconds; it counts on behind the end of the reel. */
    time = 0;
    #canvas = document.createElement("canvas");
    #draw;
    #frame = 0;
    #lastMs = 0;

    constructor() {
        this.#canvas.width = WIDTH;
        this.#canvas.height = HEIGHT;
        this.#draw = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    }

    /** The film as a video element takes it. */
    stream() {
        return this.#canvas.captureStream(FRAMES_PER_S);
    }

    /** A still of where it is, or of its title at the beginning, as a URL. */
    poster() {
        this.#paint(Math.max(this.time, 5));
        return this.#canvas.toDataURL("image/jpeg", 0.8);
    }

    /** Goes on; also in a hidden tab, where nothing is painted. */
    run() {
        this.halt();
        this.#lastMs = performance.now();
        const next = (/** @type {number} */ nowMs) => {
            this.time += Math.max(0, nowMs - this.#lastMs) / 1000;
            this.#lastMs = nowMs;
            this.#paint(this.time);
            this.#frame = requestAnimationFrame(next);
        };
        this.#frame = requestAnimationFrame(next);
    }

    /** Stops where it is. */
    halt() {
        cancelAnimationFrame(this.#frame);
    }

    /** @param {number} time */
    #paint(time) {
        const draw = this.#draw;
        const reel = time % REEL_S;
        draw.globalAlpha = 1;
        draw.fillStyle = "#000";
        draw.fillRect(0, 0, WIDTH, HEIGHT);
        if (reel < TITLE_S) title(draw, reel);
        else {
            draw.save();
            draw.beginPath();
            draw.rect(0, BAR, WIDTH, HEIGHT - 2 * BAR);
            draw.clip();
            scene(draw, reel);
            draw.restore();
            // Out of the title, and into it again.
            draw.fillStyle = `rgb(0 0 0 / ${1 - ramp(9, 11, reel) * (1 - ramp(94, 96, reel))})`;
            draw.fillRect(0, 0, WIDTH, HEIGHT);
            caption(draw, reel);
        }
        timecode(draw, time);
    }
}

/** @param {CanvasRenderingContext2D} draw @param {number} time */
function title(draw, time) {
    draw.textAlign = "center";
    draw.fillStyle = `rgb(236 226 208 / ${between(0.2, 3, time)})`;
    draw.font = "500 17px Georgia, serif";
    draw.letterSpacing = "5px";
    draw.fillText(texts.film.presents.toUpperCase(), WIDTH / 2, HEIGHT / 2);
    draw.fillStyle = `rgb(236 226 208 / ${between(3, 9, time)})`;
    draw.font = "500 60px Georgia, serif";
    draw.letterSpacing = `${2 + time * 0.5}px`;
    draw.fillText(texts.film.title, WIDTH / 2, HEIGHT / 2 + 16);
    draw.letterSpacing = "0px";
}

/** @param {CanvasRenderingContext2D} draw @param {number} time */
function scene(draw, time) {
    const light = lightAt(time);
    sky(draw, time, light);
    sea(draw, time, light);
    ship(draw, time);
    rock(draw, light);
    lighthouse(draw, time, light);
}

/** @typedef {ReturnType<typeof lightAt>} Light */

/** @param {CanvasRenderingContext2D} draw @param {number} time @param {Light} light */
function sky(draw, time, { top, low, stars }) {
    const colours = draw.createLinearGradient(0, BAR, 0, HORIZON);
    colours.addColorStop(0, rgb(top));
    colours.addColorStop(1, rgb(low));
    draw.fillStyle = colours;
    draw.fillRect(0, BAR, WIDTH, HORIZON - BAR);
    for (const star of STARS) {
        const twinkle = 0.6 + 0.4 * Math.sin(time * 1.7 + star.phase);
        draw.fillStyle = `rgb(255 250 235 / ${stars * twinkle})`;
        draw.fillRect(star.x, star.y, star.size, star.size);
    }
    // The sun sets, the moon crosses, the sun rises.
    glow(draw, 640, mix(270, 346, ramp(9, 34, time)), 24, [255, 206, 140], 1 - ramp(30, 36, time));
    glow(draw, mix(180, 420, (time - 36) / 50), 120, 15, [232, 236, 246], ramp(38, 46, time) * (1 - ramp(74, 86, time)));
    glow(draw, 700, mix(350, 280, ramp(78, 96, time)), 24, [255, 226, 180], ramp(78, 84, time));
}

/**
 * @param {CanvasRenderingContext2D} draw
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {number[]} colour
 * @param {number} alpha
 */
function glow(draw, x, y, radius, colour, alpha) {
    if (alpha <= 0) return;
    const light = draw.createRadialGradient(x, y, 0, x, y, radius * 7);
    light.addColorStop(0, rgb(colour, 0.55 * alpha));
    light.addColorStop(1, rgb(colour, 0));
    draw.fillStyle = light;
    draw.fillRect(x - radius * 7, y - radius * 7, radius * 14, radius * 14);
    draw.fillStyle = rgb(colour, alpha);
    draw.beginPath();
    draw.arc(x, y, radius, 0, 7);
    draw.fill();
}

/** @param {CanvasRenderingContext2D} draw @param {number} time @param {Light} light */
function sea(draw, time, { sea: water, low }) {
    const depth = draw.createLinearGradient(0, HORIZON, 0, HEIGHT - BAR);
    depth.addColorStop(0, rgb(low.map((value, index) => Math.round(mix(value, water[index], 0.55)))));
    depth.addColorStop(0.35, rgb(water));
    depth.addColorStop(1, rgb(water.map((value) => Math.round(value * 0.55))));
    draw.fillStyle = depth;
    draw.fillRect(0, HORIZON, WIDTH, HEIGHT - BAR - HORIZON);
    // Waves: lines that grow and slow down towards the eye, broken where they do not catch the light.
    for (let row = 0; row < 22; row++) {
        const near = row / 22;
        const y = HORIZON + 3 + near * near * 168;
        draw.strokeStyle = rgb(low, 0.1 + 0.22 * (1 - near));
        draw.lineWidth = 0.6 + near * 2.2;
        draw.beginPath();
        for (let x = -10; x <= WIDTH + 10; x += 10) {
            const swell = Math.sin(x * (0.045 - near * 0.03) + time * (0.5 + near * 0.7) + row * 1.9);
            const catches = Math.sin(x * 0.013 + row * 2.3 - time * 0.35) > 0.05;
            if (catches) draw.lineTo(x, y + swell * (0.6 + near * 4));
            else draw.moveTo(x + 10, y);
        }
        draw.stroke();
    }
}

/** @param {CanvasRenderingContext2D} draw @param {number} time */
function ship(draw, time) {
    const x = mix(WIDTH + 60, 420, (time - 44) / 46);
    if (time < 44) return;
    const y = HORIZON + 7 + Math.sin(time * 0.9) * 0.8;
    draw.fillStyle = "#0a0d16";
    draw.beginPath();
    draw.moveTo(x - 26, y - 5);
    draw.lineTo(x + 30, y - 5);
    draw.lineTo(x + 24, y + 3);
    draw.lineTo(x - 20, y + 3);
    draw.fill();
    draw.fillRect(x + 4, y - 15, 14, 10);
    draw.fillRect(x - 9, y - 22, 1.5, 18);
    draw.fillStyle = "#ffd890";
    for (const at of [6, 10, 14]) draw.fillRect(x + at, y - 12, 2, 2.5);
    draw.fillRect(x - 9.5, y - 24, 2.5, 2.5);
}

/** @param {CanvasRenderingContext2D} draw @param {Light} light */
function rock(draw, { sea: water }) {
    draw.fillStyle = rgb(water.map((value) => Math.round(value * 0.28)));
    draw.beginPath();
    draw.moveTo(0, HEIGHT);
    for (const [x, y] of [[0, 352], [40, 334], [92, 322], [120, 300], [214, 298], [246, 320], [280, 334], [330, 372], [352, 396], [420, 430], [470, HEIGHT]]) {
        draw.lineTo(x, y);
    }
    draw.fill();
}

/** @param {CanvasRenderingContext2D} draw @param {number} time @param {Light} light */
function lighthouse(draw, time, { low, sea: water, stars }) {
    const [x, foot, lamp] = [168, 302, 158];
    // The beam turns: twice a turn it points at the eye.
    const turn = time * 0.55;
    const strength = 0.15 + stars * 0.85;
    const reach = Math.cos(turn) * 900;
    const beam = draw.createLinearGradient(x, 0, x + reach, 0);
    beam.addColorStop(0, `rgb(255 236 190 / ${0.5 * strength})`);
    beam.addColorStop(1, "rgb(255 236 190 / 0)");
    draw.fillStyle = beam;
    draw.beginPath();
    draw.moveTo(x, lamp);
    draw.lineTo(x + reach, lamp - 46 + Math.sin(turn) * 20);
    draw.lineTo(x + reach, lamp + 46 + Math.sin(turn) * 20);
    draw.fill();
    // The tower: one side has the light of the sky.
    const tower = draw.createLinearGradient(x - 20, 0, x + 20, 0);
    tower.addColorStop(0, rgb(water.map((value) => Math.round(value * 0.5))));
    tower.addColorStop(1, rgb(low.map((value, index) => Math.round(mix(value, water[index], 0.45)))));
    draw.fillStyle = tower;
    draw.beginPath();
    draw.moveTo(x - 19, foot);
    draw.lineTo(x - 11, lamp + 12);
    draw.lineTo(x + 11, lamp + 12);
    draw.lineTo(x + 19, foot);
    draw.fill();
    draw.fillStyle = rgb(water.map((value) => Math.round(value * 0.35)));
    for (const at of [0.25, 0.62]) {
        const y = mix(lamp + 12, foot, at);
        const half = mix(11, 19, at);
        draw.fillRect(x - half, y, half * 2, 22);
    }
    draw.fillRect(x - 17, lamp + 8, 34, 5);
    draw.fillRect(x - 9, lamp - 14, 18, 4);
    draw.beginPath();
    draw.moveTo(x - 10, lamp - 13);
    draw.lineTo(x, lamp - 25);
    draw.lineTo(x + 10, lamp - 13);
    draw.fill();
    draw.fillStyle = "#ffe9b0";
    draw.fillRect(x - 7, lamp - 10, 14, 18);
    const flash = Math.max(0, Math.sin(turn)) ** 8;
    glow(draw, x, lamp, 7 + flash * 5, [255, 238, 196], (0.35 + 0.65 * flash) * strength);
}

/** @param {CanvasRenderingContext2D} draw @param {number} time */
function caption(draw, time) {
    const line = texts.film.lines.find(([from, to]) => time >= from && time < to);
    if (!line) return;
    draw.textAlign = "center";
    draw.font = "italic 20px Georgia, serif";
    draw.fillStyle = `rgb(240 236 226 / ${Math.min(1, (time - line[0]) * 4, (line[1] - time) * 4)})`;
    draw.fillText(line[2], WIDTH / 2, HEIGHT - 22);
}

/** Hours, minutes, seconds and frames, as a cutting room writes them. */
function timecode(/** @type {CanvasRenderingContext2D} */ draw, /** @type {number} */ time) {
    draw.textAlign = "right";
    draw.font = "500 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
    draw.fillStyle = "rgb(170 170 164)";
    draw.fillText(timecodeOf(time), WIDTH - 24, 34);
}

/** @param {number} time */
export function timecodeOf(time) {
    const frames = Math.floor((time % 1) * FRAMES_PER_S);
    const parts = [time / 3600, (time / 60) % 60, time % 60, frames];
    return parts.map((part) => String(Math.floor(part)).padStart(2, "0")).join(":");
}
