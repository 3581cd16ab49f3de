//! Demo data: two stores to try everything with. Adding it twice changes nothing.

use shared::auth::passwords::{self, Passwords};
use shared::clock::Clock;
use shared::config::AppEnv;
use shared::db::admins::NewAdmin;
use shared::db::menus::NewMenu;
use shared::db::{admins, categories, menus, stores, tables};
use shared::domain::account::AdminRole;
use shared::domain::store::TimeZone;
use shared::domain::{MenuId, StoreId, Timestamp};
use shared::{Code, Error, Result};
use sqlx::{PgConnection, PgPool};
use uuid::{Uuid, uuid};

/// A store with everything in it.
pub struct DemoStore {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: &'static str,
    /// Its admin's name and password.
    pub admin: (&'static str, &'static str),
    /// Its tables are numbered from 1 to this.
    pub tables: u8,
    categories: &'static [(&'static str, &'static [DemoMenu])],
}

struct DemoMenu {
    name: &'static str,
    description: &'static str,
    price: i64,
    is_available: bool,
}

const fn menu(name: &'static str, price: i64, description: &'static str) -> DemoMenu {
    DemoMenu { name, description, price, is_available: true }
}

const fn sold_out(name: &'static str, price: i64, description: &'static str) -> DemoMenu {
    DemoMenu { name, description, price, is_available: false }
}

/// The password of every demo table.
pub const TABLE_PASSWORD: &str = "1234";
/// The super admin's name and password.
pub const SUPER_ADMIN: (&str, &str) = ("superadmin", "super1234");

/// The demo stores.
pub const STORES: [DemoStore; 2] = [
    DemoStore {
        id: uuid!("11111111-1111-4111-8111-111111111111"),
        name: "한빛식당",
        admin: ("admin", "admin1234"),
        tables: 8,
        categories: &[
            (
                "식사",
                &[
                    menu("김치찌개", 9_000, "묵은지와 돼지고기를 푹 끓인 찌개. 공깃밥이 함께 나옵니다."),
                    menu("된장찌개", 8_500, "집된장으로 끓인 두부와 애호박 찌개. 공깃밥이 함께 나옵니다."),
                    menu("비빔밥", 10_000, "계절 나물 여섯 가지와 달걀프라이를 올린 비빔밥."),
                    menu("제육볶음", 11_000, "매콤하게 볶은 돼지 앞다리살과 쌈 채소."),
                ],
            ),
            (
                "안주",
                &[
                    menu("해물파전", 16_000, "오징어와 새우를 듬뿍 넣어 바삭하게 부친 파전."),
                    menu("두부김치", 14_000, "따뜻한 손두부와 볶음김치."),
                    sold_out("골뱅이무침", 18_000, "새콤달콤한 골뱅이무침과 소면."),
                ],
            ),
            (
                "사이드",
                &[
                    menu("계란말이", 7_000, "채소를 넣어 도톰하게 만 계란말이."),
                    menu("공깃밥", 1_000, "갓 지은 쌀밥 한 공기."),
                ],
            ),
            (
                "음료·주류",
                &[
                    menu("콜라", 2_500, "355 ml 캔."),
                    menu("소주", 5_000, "360 ml 한 병."),
                    menu("생맥주", 5_500, "500 ml 한 잔."),
                ],
            ),
        ],
    },
    DemoStore {
        id: uuid!("22222222-2222-4222-8222-222222222222"),
        name: "달빛포차",
        admin: ("moon", "moon1234"),
        tables: 2,
        categories: &[(
            "포차 메뉴",
            &[
                menu("떡볶이", 8_000, "쌀떡과 어묵을 넣은 매콤한 떡볶이."),
                menu("어묵탕", 9_000, "무와 다시마로 우린 시원한 어묵탕."),
                menu("닭똥집튀김", 13_000, "마늘과 함께 바삭하게 튀긴 닭똥집."),
            ],
        )],
    },
];

/// Add the demo stores and the super admin that are missing. Refused in production.
pub async fn seed(db: &PgPool, app_env: AppEnv, clock: &Clock) -> Result<(), String> {
    if app_env == AppEnv::Production {
        return Err("demo data does not belong into production (APP_ENV=production)".to_owned());
    }
    add_all(db, clock.now()).await.map_err(|error| match error.code {
        Code::UsernameAlreadyExists => "there is no demo data: one of its usernames is taken".to_owned(),
        _ => format!("the demo data cannot be added: {error}"),
    })
}

/// A menu that can be ordered in the first demo store.
pub async fn available_menu(db: &PgPool) -> Option<MenuId> {
    let menus = menus::list(db, StoreId(STORES[0].id), "", None).await.ok()?;
    menus.into_iter().find(|menu| menu.is_available).map(|menu| menu.id)
}

async fn add_all(db: &PgPool, now: Timestamp) -> Result<()> {
    let passwords = Passwords::new(passwords::COST);
    for store in &STORES {
        match stores::find(db, StoreId(store.id)).await {
            Ok(_) => continue,
            Err(Error { code: Code::StoreNotFound, .. }) => {}
            Err(error) => return Err(error),
        }
        let admin_hash = passwords.hash(store.admin.1.to_owned()).await?;
        let table_hash = passwords.hash(TABLE_PASSWORD.to_owned()).await?;
        let mut tx = db.begin().await?;
        add_store(&mut tx, store, &admin_hash, &table_hash, now).await?;
        tx.commit().await?;
    }
    if admins::account(db, None, SUPER_ADMIN.0).await?.is_none() {
        let password_hash = passwords.hash(SUPER_ADMIN.1.to_owned()).await?;
        let new = NewAdmin {
            store_id: None,
            username: SUPER_ADMIN.0,
            password_hash: &password_hash,
            role: AdminRole::SuperAdmin,
        };
        admins::create(&mut *db.acquire().await?, new, now).await?;
    }
    Ok(())
}

async fn add_store(
    db: &mut PgConnection,
    store: &DemoStore,
    admin_hash: &str,
    table_hash: &str,
    now: Timestamp,
) -> Result<()> {
    let id = StoreId(store.id);
    stores::create(db, id, store.name, TimeZone::default(), now).await?;
    let new = NewAdmin {
        store_id: Some(id),
        username: store.admin.0,
        password_hash: admin_hash,
        role: AdminRole::StoreAdmin,
    };
    admins::create(db, new, now).await?;
    for number in 1..=store.tables {
        tables::create(db, id, &number.to_string(), table_hash, now).await?;
    }
    for (category, demo_menus) in store.categories {
        let category_id = categories::create(db, id, category, now).await?.id;
        for menu in *demo_menus {
            let new = NewMenu {
                category_id,
                name: menu.name,
                description: Some(menu.description),
                price: menu.price,
                is_available: menu.is_available,
                image_id: None,
            };
            menus::create(db, id, new, now).await?;
        }
    }
    Ok(())
}
