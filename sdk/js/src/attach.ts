// A session for a media element: it starts with the picture, and ends with it.

import { LimitReachedError, StreamgateError } from "./errors.js";
import { launch } from "./play.js";
import type { Session, StartOptions } from "./types.js";

/** What {@link attach} takes beside the options of a start. */
export interface AttachOptions extends StartOptions {
    /**
     * Called when a start was refused, and the video was paused. `refusal.takeOver` also plays on.
     */
    onRefused?: (refusal: LimitReachedError) => void;
    /** Called when a start failed for another reason, and the video was paused. */
    onFailed?: (error: StreamgateError) => void;
    /** How long a paused video keeps its slot, in milliseconds (default: 300,000). */
    pauseTimeoutMs?: number;
}

/** A media element that holds a slot while it plays. */
export interface Attachment {
    /** The session while there is one. */
    readonly session: Session | undefined;
    /**
     * Passes the slot to what plays next in this element; see {@link Session.next}. Without a
     * session it does nothing.
     */
    next(changes?: Partial<StartOptions>): Promise<void>;
    /** Lets go of the element, and frees the slot. */
    detach(): Promise<void>;
}

/**
 * Starts a session when the element plays, stops it at the end, and pauses the element when the
 * slot is lost. The picture does not wait for the answer: the element is paused if the start is
 * refused.
 *
 * @param media - a `<video>` or `<audio>` element, as hls.js, Shaka Player and Video.js drive it
 * @param options - or a function that gives them for each start
 */
export function attach(
    media: HTMLMediaElement,
    options: AttachOptions | (() => AttachOptions),
): Attachment {
    let session: Session | undefined;
    /** The start under way; another object for each, so that a late answer is known as such. */
    let starting: object | undefined;
    /** Resolves once that start is over, and stopped again if nobody wants it any more. */
    let settled: Promise<unknown> | undefined;
    let pausing: ReturnType<typeof setTimeout> | undefined;

    const given = () => (typeof options == "function" ? options() : options);
    const lost = () => {
        session = undefined;
        media.pause();
    };

    function adopt(start: Promise<Session>): Promise<Session> {
        const own = (starting = {});
        const adopted = settle(start, own);
        settled = adopted.catch(() => {});
        return adopted;
    }

    async function settle(start: Promise<Session>, own: object): Promise<Session> {
        try {
            const started = await start;
            if (starting != own) await started.stop();
            else session = started.state == "ended" ? undefined : started;
            return started;
        } catch (error) {
            if (starting == own) media.pause();
            if (error instanceof LimitReachedError) playOnAfter(error);
            throw error;
        } finally {
            if (starting == own) starting = undefined;
        }
    }

    /** Makes a takeover start the session of this element. */
    function playOnAfter(refusal: LimitReachedError): void {
        const { startAgain } = refusal;
        refusal.startAgain = async (terminate) => {
            const started = await adopt(startAgain(terminate));
            // A browser may want the viewer to press play.
            await media.play().catch(() => {});
            return started;
        };
    }

    async function begin(): Promise<void> {
        const current = given();
        try {
            await adopt(launch(current, lost));
        } catch (error) {
            if (error instanceof LimitReachedError) current.onRefused?.(error);
            else current.onFailed?.(error as StreamgateError);
        }
    }

    async function release(): Promise<void> {
        clearTimeout(pausing);
        const stopping = starting ? settled : session?.stop();
        starting = session = undefined;
        await stopping;
    }

    const listeners: Record<string, () => void> = {
        play() {
            clearTimeout(pausing);
            if (!session && !starting) void begin();
        },
        pause() {
            clearTimeout(pausing);
            pausing = setTimeout(release, given().pauseTimeoutMs ?? 300_000);
        },
        ended: release,
    };
    for (const name in listeners) media.addEventListener(name, listeners[name]);
    if (!media.paused) listeners.play();

    return {
        get session() {
            return session;
        },
        async next(changes) {
            if (session) session = await session.next(changes);
        },
        detach() {
            for (const name in listeners) media.removeEventListener(name, listeners[name]);
            return release();
        },
    };
}
