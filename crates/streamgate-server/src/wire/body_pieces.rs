//! The pieces of a request body, one at a time and in turn with other bodies.

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::body_turns::BodyTurns;
use crate::problem::ApiError;

/// From this length on, in bytes, a piece shows that its body arrives faster than it is read. Shorter
/// ones cost little, and a client that sends them slowly must not take turns from others.
const LONG_PIECE_BYTES: usize = 4 * 1024;

/// Reads on in a body that has begun: calls `keep` with each piece, the first one as well, and with the
/// number of bytes behind it (`usize::MAX` if the client has not said). `second` is the second piece
/// if it has been taken from the body already.
///
/// A long piece shows that much of the body has arrived. What is behind it is read and kept in turn, and
/// so is a long first piece: a crowd of bodies that arrives at once stays in the system until then.
pub(super) async fn read_on(
    (first, mut second): (Bytes, Option<Bytes>),
    body: &mut Body,
    turns: &BodyTurns,
    mut keep: impl FnMut(&[u8], usize) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let mut last = first.len();
    let mut first = Some(first);
    loop {
        let is_at_end = second.is_none() && body.is_end_stream();
        let step = async {
            if let Some(piece) = first.take() {
                keep(&piece, left(second.as_ref(), body))?;
            }
            let piece = match second.take() {
                Some(piece) => Some(piece),
                None => next_piece(body).await?,
            };
            if let Some(piece) = &piece {
                keep(piece, left(None, body))?;
            }
            Ok::<_, ApiError>(piece.map(|piece| piece.len()))
        };
        let read = if last < LONG_PIECE_BYTES || is_at_end {
            step.await
        } else {
            turns.take(step).await
        };
        match read? {
            Some(length) => last = length,
            None => return Ok(()),
        }
    }
}

/// How many bytes are still to come, at most; `second` has been taken from the body.
fn left(second: Option<&Bytes>, body: &Body) -> usize {
    let rest = body.size_hint().upper();
    let rest = rest.and_then(|rest| usize::try_from(rest).ok());
    rest.map_or(usize::MAX, |rest| {
        rest.saturating_add(second.map_or(0, Bytes::len))
    })
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

    fn long_piece() -> Bytes {
        Bytes::from(vec![b' '; LONG_PIECE_BYTES])
    }

    /// Keeps the length of each piece, and of what is behind it.
    fn lengths(
        kept: &RefCell<Vec<(usize, usize)>>,
    ) -> impl FnMut(&[u8], usize) -> Result<(), ApiError> {
        |piece, left| {
            kept.borrow_mut().push((piece.len(), left));
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_long_first_piece_and_all_behind_a_long_piece_wait_for_a_turn() {
        for (first, kept_before) in [("{}".into(), 2), (long_piece(), 0)] {
            let turns = BodyTurns::of(1);
            let mut held = pin!(turns.take(pending::<()>()));
            assert_eq!(held.as_mut().now_or_never(), None);
            let pieces = [long_piece(), Bytes::from("{}")];
            let mut body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
            let kept = RefCell::default();
            let mut read = pin!(read_on((first, None), &mut body, &turns, lengths(&kept)));
            assert!(read.as_mut().now_or_never().is_none());
            assert_eq!(kept.borrow().len(), kept_before);
            assert_eq!(held.as_mut().now_or_never(), None, "it gives its turn back");
            read.as_mut().now_or_never().unwrap().unwrap();
            assert_eq!(kept.borrow().len(), 3);
        }
    }

    #[tokio::test]
    async fn a_first_piece_is_kept_although_the_next_one_has_not_arrived() {
        let turns = BodyTurns::of(1);
        let mut body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let kept = RefCell::default();
        let mut read = pin!(read_on(
            (long_piece(), None),
            &mut body,
            &turns,
            lengths(&kept)
        ));
        assert!(read.as_mut().now_or_never().is_none());
        assert_eq!(*kept.borrow(), [(LONG_PIECE_BYTES, usize::MAX)]);
    }

    #[tokio::test]
    async fn each_piece_comes_with_the_number_of_bytes_behind_it() {
        let turns = BodyTurns::of(1);
        let mut body = Body::from("third");
        let begun = (Bytes::from("1"), Some(Bytes::from("second")));
        let kept = RefCell::default();
        read_on(begun, &mut body, &turns, lengths(&kept))
            .await
            .unwrap();
        assert_eq!(*kept.borrow(), [(1, 11), (6, 5), (5, 0)]);
    }
}
