//! The pieces of a request body, one at a time and in turn with other bodies.

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::body_turns::BodyTurns;
use crate::problem::ApiError;

/// From this declared length on, in bytes, a body is read in turn from its first piece on.
const LONG_BODY_BYTES: u64 = 16 * 1024;

/// From this length on, in bytes, a piece shows that its body arrives faster than it is read. Shorter
/// ones cost little, and a client that sends them slowly must not take turns from others.
const LONG_PIECE_BYTES: usize = 4 * 1024;

/// Whether the declared length of a body is long. Nothing of such a body should be taken outside
/// [`read_on`]: until it has its turn, its bytes stay in the socket.
pub(super) fn is_long(body: &Body) -> bool {
    let declared = body.size_hint().exact();
    declared.is_some_and(|length| length >= LONG_BODY_BYTES)
}

/// Calls `keep` with each piece of a body and with the number of bytes that remain after it
/// (`usize::MAX` if the client has not said). `first` is the first piece if it has been taken from
/// the body. The first piece of a long body is read in turn, and so is each one that follows a long piece.
pub(super) async fn read_on(
    first: Option<Bytes>,
    body: &mut Body,
    turns: &BodyTurns,
    mut keep: impl FnMut(&[u8], usize) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let mut is_in_turn = match first {
        Some(piece) => {
            keep(&piece, remaining(body))?;
            piece.len() >= LONG_PIECE_BYTES
        }
        None => is_long(body),
    };
    loop {
        let is_at_end = body.is_end_stream();
        let step = async {
            let piece = next_piece(body).await?;
            if let Some(piece) = &piece {
                keep(piece, remaining(body))?;
            }
            Ok::<_, ApiError>(piece.map(|piece| piece.len()))
        };
        let read = if is_in_turn && !is_at_end {
            turns.take(step).await
        } else {
            step.await
        };
        match read? {
            Some(length) => is_in_turn = length >= LONG_PIECE_BYTES,
            None => return Ok(()),
        }
    }
}

/// How many bytes are still to come, at most.
fn remaining(body: &Body) -> usize {
    let most = body.size_hint().upper();
    let most = most.and_then(|most| usize::try_from(most).ok());
    most.unwrap_or(usize::MAX)
}

/// The next data frame of a body; `None` at its end.
pub(super) async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, ApiError> {
    while let Some(frame) = body.frame().await {
        // The client disconnected or broke the framing, and rarely reads this response.
        let frame = frame
            .map_err(|error| ApiError::field("body", "could not be read").with_cause(error))?;
        if let Ok(piece) = frame.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::convert::Infallible;
    use std::future::pending;
    use std::pin::pin;

    use futures_util::{FutureExt as _, stream};

    use super::*;

    /// Keeps the length of each piece, and of what remains after it.
    fn lengths(
        kept: &RefCell<Vec<(usize, usize)>>,
    ) -> impl FnMut(&[u8], usize) -> Result<(), ApiError> {
        |piece, remaining| {
            kept.borrow_mut().push((piece.len(), remaining));
            Ok(())
        }
    }

    fn spaces(length: usize) -> Bytes {
        Bytes::from(vec![b' '; length])
    }

    /// Reads a body while another one has the turn: the pieces kept before and after that one gives
    /// it back.
    async fn kept_without_and_with_a_turn(first: Option<Bytes>, mut body: Body) -> [usize; 2] {
        let turns = BodyTurns::of(1);
        let mut held = pin!(turns.take(pending::<()>()));
        assert_eq!(held.as_mut().now_or_never(), None);
        let kept = RefCell::default();
        let mut read = pin!(read_on(first, &mut body, &turns, lengths(&kept)));
        assert!(read.as_mut().now_or_never().is_none());
        let before = kept.borrow().len();
        assert_eq!(held.as_mut().now_or_never(), None, "it gives its turn back");
        read.as_mut().now_or_never().unwrap().unwrap();
        [before, kept.borrow().len()]
    }

    #[tokio::test]
    async fn a_long_body_and_all_that_follows_a_long_piece_wait_for_a_turn() {
        let pieces = [spaces(LONG_PIECE_BYTES), Bytes::from("{}")].map(Ok::<_, Infallible>);
        let of_unknown_length = Body::from_stream(stream::iter(pieces));
        let kept = kept_without_and_with_a_turn(Some("{}".into()), of_unknown_length).await;
        assert_eq!(kept, [2, 3]);
        let long = Body::from(spaces(16 * 1024));
        assert_eq!(kept_without_and_with_a_turn(None, long).await, [0, 1]);
    }

    #[tokio::test]
    async fn short_pieces_take_no_turn() {
        let turns = BodyTurns::of(1);
        let mut held = pin!(turns.take(pending::<()>()));
        assert_eq!(held.as_mut().now_or_never(), None);
        let pieces = [spaces(LONG_PIECE_BYTES - 1), Bytes::from("{}")].map(Ok::<_, Infallible>);
        let mut body = Body::from_stream(stream::iter(pieces));
        let kept = RefCell::default();
        let read = read_on(None, &mut body, &turns, lengths(&kept)).now_or_never();
        read.unwrap().unwrap();
        let unknown = usize::MAX;
        assert_eq!(
            *kept.borrow(),
            [(LONG_PIECE_BYTES - 1, unknown), (2, unknown)]
        );
    }

    #[tokio::test]
    async fn each_piece_comes_with_the_number_of_bytes_that_remain() {
        let turns = BodyTurns::of(1);
        let mut body = Body::from("second");
        let kept = RefCell::default();
        let first = Some(Bytes::from("1"));
        read_on(first, &mut body, &turns, lengths(&kept))
            .await
            .unwrap();
        assert_eq!(*kept.borrow(), [(1, 6), (6, 0)]);
    }
}
