// Video.js and Streamgate.
//
// Content-Security-Policy, beside your own `connect-src`:
//   script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; font-src data:; media-src blob:; worker-src 'self' blob:
//
// Video.js writes styles into the page, has its font in a data: URL, and parses segments in a worker
// from a blob: URL. Since that worker is allowed, the SDK may make its own so, too.

import videojs from "video.js";
import { attach } from "streamgate";

/**
 * Plays a film.
 *
 * @param video - the <video> element
 * @param film - `{ id, url }` of an HLS playlist
 * @param slot - whose slot and where: `{ url, user, token, device }`
 * @param viewer - your dialogs: `choose(sessions)` resolves to a session id, or to undefined;
 *   `tell({ reason, by })` says why playback stopped
 */
export function play(video, film, slot, viewer) {
    // Chromium plays HLS itself by now, and not in every build: this decides.
    const player = videojs(video, { html5: { vhs: { overrideNative: true } } });
    player.src({ src: film.url, type: "application/x-mpegURL" });
    // The element that plays: Video.js may put another in the place of yours.
    const attachment = attach(player.tech({ IWillNotUseThisInPlugins: true }).el(), {
        ...slot,
        content: { id: film.id },
        onEnded: viewer.tell,
        onRefused: async (refusal) => {
            const chosen = await viewer.choose(refusal.sessions);
            if (chosen) await refusal.takeOver(chosen);
        },
    });
    // Rejected where the browser wants the viewer to press play.
    player.play()?.catch(() => {});
    return async function close() {
        await attachment.detach();
        player.dispose();
    };
}
