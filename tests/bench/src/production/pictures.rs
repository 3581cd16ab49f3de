//! What the pictures of an upload cost, beside libvips and Pillow, which make pictures of the same size and quality; and how
//! long it takes from the end of an upload until guests see it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use measure::Trouble;
use measure::http::{Answer, Connection};
use measure::program::say;
use measure::report::{self, Spread, Target};
use measure::service::{Service, sibling};
use picture::Refusal;
use private_services::python;
use serde_json::{Value, json};

use super::parts::Parts;
use crate::turns::in_turns;
use crate::{TASK, requests};

/// What is measured: a name for the table, the file, and the most that it may cost in times of libvips.
const ORIGINALS: [(&str, &str, Option<f64>); 4] = [
    ("JPEG, 12 megapixels", "baseline.jpg", Some(1.1)),
    ("JPEG, 12 megapixels, progressive", "progressive.jpg", Some(1.1)),
    ("PNG, 2 megapixels", "photo.png", Some(1.0)),
    ("WebP, 2 megapixels", "photo.webp", None),
];
/// The sides, in the order of their turns.
const SIDES: [&str; 3] = ["ours", "libvips", "Pillow"];
/// How much less like the original ours may be than Pillow's: what the order of the same sums makes.
const ALIKE: f64 = 0.0005;
/// Longest time from the end of an upload until its picture is ready, in seconds.
const READY: f64 = 2.0;
/// Longest time to refuse an original by its head, in milliseconds.
const REFUSED: f64 = 50.0;
/// When to give up waiting for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one side made of an original: CPU time in milliseconds, and memory in MiB.
type Cost = [f64; 2];

pub(super) async fn measure(parts: &mut Parts, targets: &mut Vec<Target>) -> Result<String, Trouble> {
    let folder = parts.folder.join("pictures");
    std::fs::create_dir_all(&folder)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = python::program_of(&here.join("requirements.txt"), &folder.join("venv"), "python").await?;
    say("Drawing photographs.");
    print_of(Command::new(&python).arg(here.join("pictures/originals.py")).arg(&folder))?;
    let (rounds, times) = (parts.effort.picture_rounds, parts.effort.pictures);
    let mut rows = Vec::new();
    for (name, file, most) in ORIGINALS {
        say(&format!("{name}: ours, libvips and Pillow in turns, {times} times: {rounds} rounds."));
        let original = folder.join(file);
        let made = |side: usize| folder.join(format!("{file} {}", SIDES[side]));
        let results = in_turns(rounds, SIDES.len(), async |side| {
            let made = made(side);
            std::fs::create_dir_all(&made)?;
            let mut command = match side {
                0 => Command::new(sibling(TASK, "make-pictures")?),
                _ => Command::new(&python),
            };
            if side > 0 {
                command.arg(here.join("pictures/peer.py")).arg(if side == 1 { "vips" } else { "pillow" });
            }
            // One thread, as a function has one core.
            command.env("VIPS_CONCURRENCY", "1").arg(&original).arg(times.to_string()).arg(&made);
            cost(&print_of(&mut command)?)
        })
        .await?;
        let likeness = (0..SIDES.len()).map(|side| likeness(&python, here, &original, &made(side)));
        let likeness = likeness.collect::<Result<Vec<_>, _>>()?;
        let cpu = |side: usize| Spread::of(results[side].iter().map(|cost| cost[0]));
        let memory = |side: usize| Spread::of(results[side].iter().map(|cost| cost[1]));
        for (side, likeness) in likeness.iter().enumerate() {
            rows.push(vec![
                if side == 0 { name.to_owned() } else { String::new() },
                SIDES[side].to_owned(),
                format!("{:.1}", cpu(side)),
                format!("{:.2}", cpu(0).median / cpu(side).median),
                format!("{:.0}", memory(side)),
                format!("{:.4}", likeness[0]),
                format!("{:.4}", likeness[1]),
            ]);
        }
        if let Some(most) = most {
            let name = format!("{name}, CPU time beside libvips");
            targets.push(Target::at_most(&name, most, "×", cpu(0).median / cpu(1).median));
        }
        for (picture, place) in [("picture", 0), ("thumbnail", 1)] {
            let name = format!("{name}, {picture}: SSIM beside Pillow's");
            targets.push(Target::at_least(&name, -ALIKE, "", likeness[0][place] - likeness[2][place]));
        }
    }
    let header = [
        "original",
        "by",
        "CPU ms",
        "ours in times of it",
        "peak memory MiB",
        "SSIM of the picture",
        "of the thumbnail",
    ];
    let table = report::table(&header, &rows);
    say("Uploads, until they are ready.");
    let original = std::fs::read(folder.join("photo.png"))?;
    let ready = until_ready(parts, &original)?;
    targets.push(Target::at_most("the PNG, from the end of its upload until it is ready", READY, "s", ready.median));
    let mib = original.len() as f64 / 1024.0 / 1024.0;
    let refused = until_refused(&folder, parts.effort.pictures)?;
    targets.push(Target::at_most(
        "an original with too many pixels, until it is refused by its head",
        REFUSED,
        "ms",
        refused.median,
    ));
    Ok(format!(
        "{table}\nUnder `make run`, the PNG of {mib:.1} MiB is ready {ready:.3} s after its upload. The same originals with a head \
         that says too many pixels are refused within {refused:.3} ms.\n"
    ))
}

/// What a command prints.
fn print_of(command: &mut Command) -> Result<String, Trouble> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} fails: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn cost(printed: &str) -> Result<Cost, Trouble> {
    let numbers = printed.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    numbers.try_into().map_err(|_| format!("no cost: {printed}").into())
}

/// How like the original the picture and the thumbnail are: SSIM, 1 for the same.
fn likeness(python: &Path, here: &Path, original: &Path, made: &Path) -> Result<[f64; 2], Trouble> {
    let mut command = Command::new(python);
    command.arg(here.join("pictures/likeness.py")).arg(original);
    cost(&print_of(command.args(["display.jpg", "thumbnail.jpg"].map(|name| made.join(name))))?)
}

/// How long it takes in the one process from the end of an upload until the picture is ready, in seconds.
fn until_ready(parts: &Parts, original: &[u8]) -> Result<Spread, Trouble> {
    let (service, _) = Service::start(TASK, &parts.folder, &parts.postgres.url(), &[])?;
    let mut connection = Connection::open(service.address)?;
    let token = &parts.boards.first().ok_or("there is no store")?.staff;
    let sha256 = shared::hex(&shared::sha256(original));
    let body = json!({"content_type": "image/png", "size": original.len(), "sha256": sha256}).to_string();
    let mut announce = Vec::new();
    requests::post("/api/admin/images", &format!("authorization: Bearer {token}\r\n"), &body, &mut announce);
    let mut times = Vec::new();
    for _ in 0..parts.effort.picture_rounds {
        let announced = json_of(connection.exchange(&announce)?, 201)?;
        upload(&announced["upload"], original)?;
        let began = Instant::now();
        let ask = requests::get(&format!("/api/admin/images/{}", announced["image_id"]), token);
        loop {
            let image = json_of(connection.exchange(&ask)?, 200)?;
            match image["status"].as_str() {
                Some("pending") if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
                Some("ready") => break,
                _ => return Err(format!("an upload was not made a picture: {image}").into()),
            }
        }
        times.push(began.elapsed().as_secs_f64());
    }
    Ok(Spread::of(times))
}

/// How long it takes to refuse an original whose head says that it has too many pixels, in milliseconds.
fn until_refused(folder: &Path, times: usize) -> Result<Spread, Trouble> {
    let mut spent = Vec::new();
    // What stands before height and width, or width and height, and too much of both.
    for (file, before, sides) in [
        ("baseline.jpg", &[0xff, 0xc0, 0, 17, 8][..], &[0xfd, 0xe8, 0xfd, 0xe8][..]),
        ("photo.png", b"IHDR", &[0, 0, 0xfd, 0xe8, 0, 0, 0xfd, 0xe8]),
        ("photo.webp", &[0x9d, 0x01, 0x2a], &[0xff, 0x3f, 0xff, 0x3f]),
    ] {
        let mut original = std::fs::read(folder.join(file))?;
        let place = original.windows(before.len()).position(|window| window == before).ok_or("no head")? + before.len();
        original[place..place + sides.len()].copy_from_slice(sides);
        for _ in 0..times {
            let began = Instant::now();
            let refusal = picture::make(&original).err();
            spent.push(1e3 * began.elapsed().as_secs_f64());
            if refusal != Some(Refusal::TooManyPixels) {
                return Err(format!("{file} with too many pixels: {refusal:?}").into());
            }
        }
    }
    Ok(Spread::of(spent))
}

fn json_of(answer: Answer<'_>, expected: u16) -> Result<Value, Trouble> {
    let body = String::from_utf8_lossy(answer.body);
    if answer.status != expected {
        return Err(format!("{} instead of {expected}: {body}", answer.status).into());
    }
    Ok(serde_json::from_str(&body)?)
}

/// Send the request that the service has signed.
fn upload(request: &Value, content: &[u8]) -> Result<(), Trouble> {
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("the signed request lacks something");
    let url = text(&request["url"])?;
    let (host, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).ok_or("no URL")?;
    let mut bytes =
        format!("PUT /{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", content.len()).into_bytes();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        write!(bytes, "{name}: {}\r\n", text(value)?)?;
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(content);
    match Connection::open(host.parse()?)?.exchange(&bytes)?.status {
        200 => Ok(()),
        status => Err(format!("an upload was answered {status}").into()),
    }
}
