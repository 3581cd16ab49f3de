//! What can go wrong, in the words of the contract.
//!
//! Every code stands in one table with its status and its two sentences. Below HTTP an error is a value with a code and
//! details; `http::error` turns it into a response.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::domain::Timestamp;
use crate::domain::business_day::InvalidDateRange;
use crate::domain::order::{CannotDelete, NotAllowed};
use crate::domain::placing::PlaceRefusal;

/// What handlers return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($name:ident $code:literal $status:literal $korean:literal $english:literal;)*) => {
        /// The stable codes of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`, status ", stringify!($status), ": ", $english)] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as clients see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The sentence for people, in Korean.
            pub fn korean(self) -> &'static str {
                match self { $(Self::$name => $korean,)* }
            }

            /// The sentence for people, in English.
            pub fn english(self) -> &'static str {
                match self { $(Self::$name => $english,)* }
            }
        }
    };
}

codes! {
    ValidationError "VALIDATION_ERROR" 400 "입력값이 올바르지 않습니다." "The request is not valid.";
    EmptyOrder "EMPTY_ORDER" 400 "주문 항목이 비어있습니다." "The order has no items.";
    InvalidQuantity "INVALID_QUANTITY" 400 "수량은 1 이상 100 이하여야 합니다." "A quantity must be between 1 and 100.";
    InvalidStatusTransition "INVALID_STATUS_TRANSITION" 400 "현재 상태에서 변경할 수 없는 상태입니다." "The order cannot move from its present status to this one.";
    OrderCannotDelete "ORDER_CANNOT_DELETE" 400 "제공 완료되었거나 취소된 주문은 삭제할 수 없습니다." "A served or cancelled order cannot be deleted.";
    InvalidDateRange "INVALID_DATE_RANGE" 400 "조회 기간이 올바르지 않습니다. 시작일은 종료일보다 늦을 수 없으며 최대 366일까지 조회할 수 있습니다." "The dates must be in order and at most 366 days apart.";
    StoreIdRequired "STORE_ID_REQUIRED" 400 "매장 관리자는 매장을 지정해야 합니다." "A store admin needs a store_id.";
    TokenMissing "TOKEN_MISSING" 401 "로그인이 필요합니다." "Log in first.";
    TokenExpired "TOKEN_EXPIRED" 401 "JWT 토큰이 만료되었습니다. 다시 로그인해주세요." "The token has expired. Log in again.";
    InvalidToken "INVALID_TOKEN" 401 "유효하지 않은 JWT 토큰입니다." "The token is not valid.";
    InvalidCredentials "INVALID_CREDENTIALS" 401 "로그인 정보가 올바르지 않습니다." "The login details are wrong.";
    InsufficientPermissions "INSUFFICIENT_PERMISSIONS" 403 "권한이 없습니다." "You may not do this.";
    StoreInactive "STORE_INACTIVE" 403 "이용이 중지된 매장입니다." "This store is switched off.";
    AdminInactive "ADMIN_INACTIVE" 403 "비활성화된 계정입니다." "This account is switched off.";
    NotFound "NOT_FOUND" 404 "요청하신 주소를 찾을 수 없습니다." "There is nothing at this address.";
    StoreNotFound "STORE_NOT_FOUND" 404 "매장을 찾을 수 없습니다." "There is no such store.";
    AdminNotFound "ADMIN_NOT_FOUND" 404 "관리자를 찾을 수 없습니다." "There is no such admin.";
    TableNotFound "TABLE_NOT_FOUND" 404 "테이블을 찾을 수 없습니다." "There is no such table.";
    SessionNotFound "SESSION_NOT_FOUND" 404 "진행 중인 테이블 세션이 없습니다." "The table has no open session.";
    CategoryNotFound "CATEGORY_NOT_FOUND" 404 "카테고리를 찾을 수 없습니다." "There is no such category.";
    MenuNotFound "MENU_NOT_FOUND" 404 "메뉴를 찾을 수 없습니다." "There is no such menu.";
    ImageNotFound "IMAGE_NOT_FOUND" 404 "이미지를 찾을 수 없습니다." "There is no such picture.";
    OrderNotFound "ORDER_NOT_FOUND" 404 "주문을 찾을 수 없습니다." "There is no such order.";
    MethodNotAllowed "METHOD_NOT_ALLOWED" 405 "지원하지 않는 요청 방식입니다." "This address does not support the method.";
    MenuNotAvailable "MENU_NOT_AVAILABLE" 409 "품절된 메뉴가 포함되어 있습니다." "The order has a menu that is sold out.";
    VersionConflict "VERSION_CONFLICT" 409 "다른 사용자가 먼저 변경했습니다. 최신 상태를 확인해주세요." "Somebody else changed it first. See the current state.";
    TableAlreadyExists "TABLE_ALREADY_EXISTS" 409 "이미 존재하는 테이블 번호입니다." "There is a table with this number already.";
    TableHasActiveSession "TABLE_HAS_ACTIVE_SESSION" 409 "이용 중인 테이블은 삭제할 수 없습니다." "The table has an open session.";
    SessionHasUnfinishedOrders "SESSION_HAS_UNFINISHED_ORDERS" 409 "아직 완료되지 않은 주문이 있습니다." "The session has unfinished orders.";
    CategoryAlreadyExists "CATEGORY_ALREADY_EXISTS" 409 "이미 존재하는 카테고리 이름입니다." "There is a category with this name already.";
    CategoryNotEmpty "CATEGORY_NOT_EMPTY" 409 "메뉴가 있는 카테고리는 삭제할 수 없습니다." "The category still has menus.";
    MenuInUse "MENU_IN_USE" 409 "진행 중인 주문에 포함된 메뉴는 삭제할 수 없습니다. 품절로 표시해주세요." "An open order uses the menu. Mark it sold out instead.";
    StoreNotEmpty "STORE_NOT_EMPTY" 409 "테이블, 관리자, 메뉴 또는 주문 내역이 있는 매장은 삭제할 수 없습니다." "The store still has tables, admins, menus or history.";
    UsernameAlreadyExists "USERNAME_ALREADY_EXISTS" 409 "이미 사용 중인 아이디입니다." "This username is taken.";
    CannotDeactivateSelf "CANNOT_DEACTIVATE_SELF" 409 "자기 자신은 비활성화할 수 없습니다." "You cannot deactivate yourself.";
    LastSuperAdmin "LAST_SUPER_ADMIN" 409 "마지막 슈퍼 관리자는 비활성화할 수 없습니다." "The last active super admin must stay active.";
    TooManyUploads "TOO_MANY_UPLOADS" 409 "진행 중인 업로드가 너무 많습니다. 업로드를 마치거나 잠시 후 다시 시도해주세요." "Too many uploads are open. Finish them, or try again later.";
    PayloadTooLarge "PAYLOAD_TOO_LARGE" 413 "요청 본문이 너무 큽니다." "The request body is too large.";
    FileTooLarge "FILE_TOO_LARGE" 413 "파일이 너무 큽니다. 5MB 이하의 이미지만 업로드할 수 있습니다." "The file is too large. A picture may have 5 MB at most.";
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" 415 "요청 본문은 JSON(application/json)이어야 합니다." "The request body must be JSON (application/json).";
    InvalidFileType "INVALID_FILE_TYPE" 415 "지원하지 않는 파일 형식입니다. JPEG, PNG, WebP 이미지만 업로드할 수 있습니다." "The file must be a JPEG, PNG or WebP picture.";
    IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" 422 "이미 다른 요청에 사용된 Idempotency-Key입니다." "This Idempotency-Key was used for another request.";
    RateLimitExceeded "RATE_LIMIT_EXCEEDED" 429 "요청 한도를 초과했습니다. 잠시 후 다시 시도해주세요." "Too many requests. Try again later.";
    InternalError "INTERNAL_ERROR" 500 "서버 오류가 발생했습니다. 잠시 후 다시 시도해주세요." "Something went wrong on our side. Try again later.";
    ServiceUnavailable "SERVICE_UNAVAILABLE" 503 "일시적으로 서비스를 이용할 수 없습니다. 잠시 후 다시 시도해주세요." "The service is unavailable for the moment. Try again later.";
    Timeout "TIMEOUT" 504 "요청 처리 시간이 초과되었습니다. 다시 시도해주세요." "The request took too long. Try again.";
}

/// Why a request was not answered with success.
#[derive(Debug)]
pub struct Error {
    /// The contract's code.
    pub code: Code,
    /// More for a program, always a JSON object.
    pub details: Option<Value>,
    /// When to try again, for 429.
    pub retry_after: Option<Duration>,
    /// What happened underneath, for the log and never for the client.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with details for the client.
    pub fn with_details(code: Code, details: Value) -> Self {
        Self { details: Some(details), ..code.into() }
    }

    /// A refused field, by its path in the request and the reason.
    pub fn field(field: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::fields([(field, reason)])
    }

    /// Several refused fields.
    pub fn fields<F: fmt::Display, R: fmt::Display>(fields: impl IntoIterator<Item = (F, R)>) -> Self {
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(field, reason)| json!({"field": field.to_string(), "reason": reason.to_string()}))
            .collect();
        Self::with_details(Code::ValidationError, json!({ "fields": fields }))
    }

    /// Too many requests, or too many wrong logins, until this long from now.
    pub fn too_many(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Code::RateLimitExceeded.into() }
    }

    /// A fault of ours.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Code::InternalError.into() }
    }

    /// Something we need is not there for the moment.
    pub fn unavailable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Code::ServiceUnavailable.into() }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self { code, details: None, retry_after: None, source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The named constraints a client can break, and what that means.
const CONSTRAINTS: &[(&str, Code)] = &[
    ("tables_store_number_key", Code::TableAlreadyExists),
    ("table_sessions_open_has_table", Code::TableHasActiveSession),
    ("orders_table_fkey", Code::TableHasActiveSession),
    ("menu_categories_store_name_key", Code::CategoryAlreadyExists),
    ("menus_category_fkey", Code::CategoryNotEmpty),
    ("menus_image_fkey", Code::ImageNotFound),
    ("order_items_menu_fkey", Code::MenuInUse),
    ("admins_username_key", Code::UsernameAlreadyExists),
    ("admins_store_id_fkey", Code::StoreNotEmpty),
    ("tables_store_id_fkey", Code::StoreNotEmpty),
    ("menu_categories_store_id_fkey", Code::StoreNotEmpty),
    ("images_store_id_fkey", Code::StoreNotEmpty),
    ("order_history_store_id_fkey", Code::StoreNotEmpty),
    ("order_counters_store_id_fkey", Code::StoreNotEmpty),
    ("order_status_changes_store_id_fkey", Code::StoreNotEmpty),
];

/// PostgreSQL's error codes, or the beginnings of them, that say nothing against the request: the database is going down,
/// coming up, full, out of reach, does not let us in, or has ended the session or a deadlock.
const PASSING: &[&str] = &["08", "25P03", "28", "3D000", "40", "53", "55000", "57P", "58"];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_) => Self::unavailable(error),
            sqlx::Error::Database(database) => {
                let named = database.constraint().and_then(|name| CONSTRAINTS.iter().find(|(known, _)| *known == name));
                if let Some((_, code)) = named {
                    return (*code).into();
                }
                let code = database.code().unwrap_or_default();
                let (table, constraint) = (database.table().unwrap_or("-"), database.constraint().unwrap_or("-"));
                // PostgreSQL's own details are left out: they may quote a whole row, password hash and all.
                let said = format!("{code} {} (table {table}, constraint {constraint})", database.message());
                match &*code {
                    // Ended by `statement_timeout` or `lock_timeout`.
                    "57014" | "55P03" => Self { source: Some(said.into()), ..Code::Timeout.into() },
                    code if PASSING.iter().any(|class| code.starts_with(class)) => Self::unavailable(said),
                    _ => Self::internal(said),
                }
            }
            _ => Self::internal(error),
        }
    }
}

impl From<serde_json::Error> for Error {
    /// Our own values that could not be written or read back; what clients send is read in `http::request`.
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<PlaceRefusal> for Error {
    fn from(refusal: PlaceRefusal) -> Self {
        match refusal {
            PlaceRefusal::Empty => Code::EmptyOrder.into(),
            PlaceRefusal::InvalidQuantity(position) => {
                Self::with_details(Code::InvalidQuantity, json!({"field": format!("items[{position}].quantity")}))
            }
            PlaceRefusal::MenusNotFound(ids) => Self::with_details(Code::MenuNotFound, json!({"menu_ids": ids})),
            PlaceRefusal::MenusNotAvailable(ids) => {
                Self::with_details(Code::MenuNotAvailable, json!({"menu_ids": ids}))
            }
            PlaceRefusal::TotalTooLarge => Self::field("items", "the total is too large"),
        }
    }
}

impl From<NotAllowed> for Error {
    fn from(NotAllowed { from, to }: NotAllowed) -> Self {
        Self::with_details(Code::InvalidStatusTransition, json!({"from": from, "to": to, "allowed": from.allowed()}))
    }
}

impl From<CannotDelete> for Error {
    fn from(CannotDelete: CannotDelete) -> Self {
        Code::OrderCannotDelete.into()
    }
}

impl From<InvalidDateRange> for Error {
    fn from(InvalidDateRange: InvalidDateRange) -> Self {
        Code::InvalidDateRange.into()
    }
}

/// A limit has been reached, until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// Now.
    pub now: Timestamp,
    /// When the next try can succeed.
    pub until: Timestamp,
}

impl LimitReached {
    /// What a script says that counts: how many microseconds to wait, 0 for none.
    pub(crate) fn unless_zero(micros: i64, now: Timestamp) -> Result<(), Self> {
        if micros == 0 { Ok(()) } else { Err(Self { now, until: now + TimeDelta::microseconds(micros) }) }
    }
}

impl From<LimitReached> for Error {
    fn from(limit: LimitReached) -> Self {
        Self::too_many((limit.until - limit.now).to_std().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_upper_snake_case() {
        let codes: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        assert!(codes.iter().all(|code| code.chars().all(|c| c.is_ascii_uppercase() || c == '_')));
    }

    #[test]
    fn every_code_has_a_korean_and_an_english_sentence() {
        for code in Code::ALL {
            assert!(code.korean().chars().any(|c| ('가'..='힣').contains(&c)), "{code:?}");
            assert!(code.english().is_ascii() && code.english().ends_with('.'), "{code:?}");
        }
    }
}
