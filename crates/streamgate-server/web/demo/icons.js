// Drawings of 24 by 24, for `icon` of shared/ui.js.

/** @type {Record<import("./accounts.js").Device | "play" | "pause", string>} */
export const ICONS = {
    tv: "M4 6h16a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1zM8 20h8",
    phone: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
    laptop: "M6 6h12a1 1 0 0 1 1 1v9H5V7a1 1 0 0 1 1-1zM2.5 19h19",
    tablet: "M6 3h12a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
    play: "M8 5.5v13l10.5-6.5z",
    pause: "M9 6v12M15 6v12",
};
