// Shaka Player and Streamgate.
//
// Content-Security-Policy, beside your own `connect-src`:
//   script-src 'self'; style-src 'self'; media-src blob:; worker-src 'self'

import shaka from "shaka-player";
import { attach } from "streamgate";

/**
 * Plays a film.
 *
 * @param video - the <video> element
 * @param film - `{ id, url }` of a DASH or HLS manifest
 * @param slot - whose slot and where: `{ url, user, token, device }` and `worker`, the URL of
 *   streamgate/worker.js on your origin
 * @param viewer - your dialogs: `choose(sessions)` resolves to a session id, or to undefined;
 *   `tell({ reason, by })` says why playback stopped
 */
export async function play(video, film, slot, viewer) {
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    await player.attach(video);
    await player.load(film.url);
    const attachment = attach(video, {
        ...slot,
        content: { id: film.id },
        onEnded: viewer.tell,
        onRefused: async (refusal) => {
            const chosen = await viewer.choose(refusal.sessions);
            if (chosen) await refusal.takeOver(chosen);
        },
    });
    // Rejected where the browser wants the viewer to press play.
    video.play().catch(() => {});
    return async function close() {
        await attachment.detach();
        await player.destroy();
    };
}
