//! What workers count of their jobs: added up by minute, worker and kind, and swept.

use std::time::Duration;

use deed_store::queue::{Figures, Histogram};
use uuid::Uuid;

use crate::support::{connect, count, database, store};

fn times(milliseconds: &[u64]) -> Histogram {
    let mut all = Histogram::default();
    milliseconds.iter().for_each(|ms| all.record(Duration::from_millis(*ms)));
    all
}

fn some() -> Figures {
    Figures {
        done: 2,
        failed: 1,
        fenced: 0,
        waits: times(&[0, 3, 90_000]),
        runs: times(&[1, 2, 3]),
    }
}

fn others() -> Figures {
    Figures { done: 0, failed: 0, fenced: 4, waits: times(&[5; 4]), runs: times(&[7_000_000; 4]) }
}

fn sum(all: &[Figures]) -> Figures {
    let mut sum = Figures::default();
    all.iter().for_each(|one| sum.add(one));
    sum
}

#[tokio::test]
async fn figures_of_the_last_hour_are_added_up_by_kind() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    assert_eq!(store.job_figures().await.unwrap(), []);
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    store.add_job_figures(first, &[("a", some()), ("b", others())]).await.unwrap();
    // The same minute, or the next one.
    store.add_job_figures(first, &[("a", others())]).await.unwrap();
    store.add_job_figures(second, &[("a", some())]).await.unwrap();
    let of_a = sum(&[some(), others(), some()]);
    let expected = [("a".to_owned(), of_a.clone()), ("b".to_owned(), others())];
    assert_eq!(store.job_figures().await.unwrap(), expected);
    let old = "UPDATE job_figures SET minute = minute - interval '61 minutes' WHERE kind = 'b'";
    client.batch_execute(old).await.unwrap();
    assert_eq!(store.job_figures().await.unwrap(), [("a".to_owned(), of_a)]);
}

#[tokio::test]
async fn a_worker_adds_to_its_row_of_the_minute() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    let worker = Uuid::from_u128(1);
    // Whatever minute it is meanwhile: two rows at most.
    for _ in 0..10 {
        store.add_job_figures(worker, &[("a", some())]).await.unwrap();
    }
    assert!(count(&client, "SELECT count(*) FROM job_figures").await <= 2);
    let expected = sum(&std::iter::repeat_with(some).take(10).collect::<Vec<_>>());
    assert_eq!(store.job_figures().await.unwrap(), [("a".to_owned(), expected)]);
}

#[tokio::test]
async fn old_figures_go_in_batches() {
    let database = database().await;
    let store = store(&database).await;
    let client = connect(&database.urls().superuser).await;
    store.add_job_figures(Uuid::from_u128(1), &[("new", some())]).await.unwrap();
    let fill = "INSERT INTO job_figures (minute, replica, kind, done, failed, fenced, waits, runs, wait_max, run_max)
        SELECT f.minute - n * interval '5 hours', replica, 'old', 0, 0, 0, waits, runs, 0, 0
        FROM job_figures f, generate_series(1, 9) n";
    client.batch_execute(fill).await.unwrap();
    assert_eq!(store.sweep_job_figures(1, 3).await.unwrap(), 3);
    assert_eq!(store.sweep_job_figures(1, 3).await.unwrap(), 2);
    assert_eq!(store.sweep_job_figures(1, 3).await.unwrap(), 0);
    assert_eq!(count(&client, "SELECT count(*) FROM job_figures").await, 5);
}
