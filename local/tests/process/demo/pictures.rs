//! Pictures of menus, given on the page.

use std::path::Path;

use super::Service;

/// The path of an original, without `..`, which a browser refuses.
fn original(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions/images/picture/tests/originals");
    folder.join(name).canonicalize().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn staff_give_a_menu_a_picture_and_guests_see_it_at_once() {
    let service = Service::start().await;
    let page = service.page("1").await;
    page.sees("[data-menu='1']", &["김치찌개"]).await;
    page.tap("#show-pictures").await;
    page.sees("#pictures", &["메뉴 사진 넣기"]).await;

    page.write("#pictures input[type=file]", &original("transparent.png")).await;
    page.tap("#pictures [data-part=send]").await;
    page.sees("#pictures .message", &["사진을 넣었습니다"]).await;
    page.tap("#pictures [data-part=close]").await;

    page.until("document.querySelector(\"[data-menu='1'] img\").naturalWidth === 300").await;
    // The storage is at another port.
    page.close_having_asked(&["http://127.0.0.1:", "blob:"]).await;
}

#[tokio::test]
async fn what_is_no_picture_is_refused_with_a_word_on_what_to_do() {
    let service = Service::start().await;
    let page = service.page("1").await;
    page.tap("#show-pictures").await;
    page.write("#pictures input[type=file]", &original("make.py")).await;
    page.tap("#pictures [data-part=send]").await;
    page.sees("#pictures .message", &["이미지 파일이 아닙니다"]).await;

    let zip = service.folder.0.join("menu.jpg");
    std::fs::write(&zip, b"PK\x03\x04 whatever its name says").unwrap();
    page.write("#pictures input[type=file]", zip.to_str().unwrap()).await;
    page.until("document.querySelector('#pictures .message').innerText === ''").await;
    page.tap("#pictures [data-part=send]").await;
    page.sees("#pictures .message", &["이미지 파일이 아닙니다"]).await;
    page.close_having_asked(&["http://127.0.0.1:", "blob:"]).await;
}
