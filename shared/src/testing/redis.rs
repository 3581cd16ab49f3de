//! A database of Redis for one test, on the server that `with-services` started; and a Redis that answers when a test lets it.

use std::env;

use chrono::TimeDelta;
use redis::Script;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::redis::{Patience, Redis};

/// As long as a busy machine may need: no test is about an answer that comes late.
const PATIENCE: Patience = Patience::WORK;

/// Shifts everything that tells a time, and every time to live.
const AGE: &str = r"
local micros = tonumber(ARGV[1])
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind = redis.call('TYPE', key).ok
    if kind == 'zset' then
      local members = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
      for i = 1, #members, 2 do
        redis.call('ZADD', key, members[i + 1] - micros, members[i])
      end
    elseif kind == 'list' then
      for i, entry in ipairs(redis.call('LRANGE', key, 0, -1)) do
        local head, time, rest = string.match(entry, '^([^\n]*\n[^\n]*\n)(%d+)(\n.*)$')
        redis.call('LSET', key, i - 1, head .. string.format('%d', time - micros / 1000000) .. rest)
      end
    end
    local left = redis.call('PTTL', key)
    if left >= 0 then
      redis.call('PEXPIRE', key, left - micros / 1000)
    end
  end
until cursor == '0'
";

/// An empty database of Redis.
#[derive(Debug)]
pub struct TestRedis {
    url: SecretString,
    redis: Redis,
}

impl TestRedis {
    /// One of the databases, which nobody else uses for now.
    pub async fn create() -> Self {
        let server = env::var("REDIS_URL").expect("tests need Redis: run `make test`");
        let first = Redis::open(&server.clone().into(), PATIENCE).unwrap();
        let number = first
            .ask(async |redis| {
                let databases: (String, i64) =
                    redis::cmd("CONFIG").arg("GET").arg("databases").query_async(redis).await?;
                let taken: i64 = redis::cmd("INCR").arg("tests").query_async(redis).await?;
                // The first is for counting.
                Ok(1 + taken % (databases.1 - 1))
            })
            .await
            .unwrap();
        let this = Self::at(&format!("{server}/{number}"));
        this.redis.ask(async |redis| redis::cmd("FLUSHDB").exec_async(redis).await).await.unwrap();
        this
    }

    /// The database at this URL.
    pub fn at(url: &str) -> Self {
        let url = SecretString::from(url);
        Self { redis: Redis::open(&url, PATIENCE).unwrap(), url }
    }

    /// Another process's connection.
    pub fn connect(&self) -> Redis {
        Redis::open(&self.url, PATIENCE).unwrap()
    }

    /// Its URL, for another process.
    pub fn url(&self) -> String {
        self.url.expose_secret().to_owned()
    }

    /// Let everything there be older by this much.
    pub async fn age(&self, by: TimeDelta) {
        let age = Script::new(AGE);
        let age = age.arg(by.num_microseconds());
        self.redis.ask(async |redis| age.invoke_async::<()>(redis).await).await.unwrap();
    }

    /// Send a command.
    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        self.redis.ask(async |redis| command.query_async(redis).await).await.unwrap()
    }
}

/// A Redis that answers scripts with what a test says, when it says so. Until then it is silent.
#[derive(Debug)]
pub struct HeldRedis {
    /// Its URL.
    pub url: String,
    answers: mpsc::UnboundedSender<i64>,
}

impl HeldRedis {
    /// One that is silent.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (answers, mut said) = mpsc::unbounded_channel::<i64>();
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut sent = [0; 16 * 1024];
            while let Ok(length @ 1..) = client.read(&mut sent).await {
                // Each command is an array.
                for command in String::from_utf8_lossy(&sent[..length]).split('*') {
                    let answer = if command.contains("EVALSHA") {
                        let Some(answer) = said.recv().await else { return };
                        format!(":{answer}\r\n")
                    } else if command.contains("CLIENT") {
                        "+OK\r\n".to_owned()
                    } else if command.contains("PING") {
                        "+PONG\r\n".to_owned()
                    } else {
                        continue;
                    };
                    if client.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
        Self { url, answers }
    }

    /// What it answers the next script that it is, or has been, asked.
    pub fn answer(&self, integer: i64) {
        self.answers.send(integer).unwrap();
    }
}
