//! Clients that come and go all the time while events happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;

use crate::{Frame, Given};

/// How far the events may be ahead of a client: fewer than a reader may fall behind.
const AHEAD: usize = 200;

/// Let so many events happen at these containers in turn, while clients go from one to the next. What each has seen.
pub(crate) async fn come_and_go(containers: &[Arc<Given>], clients: usize, events: usize) -> Vec<Vec<Frame>> {
    let progress: Arc<[AtomicUsize]> = (0..clients).map(|_| AtomicUsize::new(0)).collect();
    let clients = (0..clients)
        .map(|client| tokio::spawn(read(containers.to_vec(), client, events, progress.clone())))
        .collect::<Vec<_>>();
    for appended in 0..events {
        while progress.iter().any(|read| appended >= read.load(Ordering::Acquire) + AHEAD) {
            tokio::task::yield_now().await;
        }
        containers[appended % containers.len()].append_cards(1).await;
        tokio::task::yield_now().await;
    }
    join_all(clients).await.into_iter().map(|seen| seen.unwrap()).collect()
}

async fn read(containers: Vec<Arc<Given>>, client: usize, events: usize, progress: Arc<[AtomicUsize]>) -> Vec<Frame> {
    let (mut seen, mut left_at) = (Vec::<Frame>::new(), containers[0].at(0));
    for visit in client.. {
        if seen.len() == events {
            break;
        }
        let mut board = containers[visit % containers.len()].board_again(&left_at).await;
        assert_eq!(board.event().await.event(), Some("ready"));
        // Stays for a while, another time shorter, another longer.
        let stay = (1 + seen.len() * (7 + client) % 40).min(events - seen.len());
        seen.extend(board.events(stay).await);
        left_at = seen[seen.len() - 1].id().unwrap().to_owned();
        progress[client].store(seen.len(), Ordering::Release);
    }
    seen
}
