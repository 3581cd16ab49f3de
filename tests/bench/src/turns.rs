//! Sides of a comparison take turns, so that all of them meet the same machine.

use measure::Trouble;
use measure::program::unless_interrupted;

/// Give each of `sides` a turn in every round; who went last goes first. The first round warms up and does not count.
/// Returns what came of each side's rounds.
pub(crate) async fn in_turns<T>(
    rounds: usize,
    sides: usize,
    mut turn: impl AsyncFnMut(usize) -> Result<T, Trouble>,
) -> Result<Vec<Vec<T>>, Trouble> {
    let mut results: Vec<Vec<T>> = (0..sides).map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for place in 0..sides {
            let side = if round % 2 == 0 { place } else { sides - 1 - place };
            unless_interrupted()?;
            let result = turn(side).await?;
            if round > 0 {
                results[side].push(result);
            }
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_went_last_goes_first_and_the_first_round_does_not_count() {
        let mut turns = Vec::new();
        let results = in_turns(2, 2, async |side| {
            turns.push(side);
            Ok(turns.len())
        });
        assert_eq!(results.await.unwrap(), [vec![4, 5], vec![3, 6]]);
        assert_eq!(turns, [0, 1, 1, 0, 0, 1]);
    }
}
