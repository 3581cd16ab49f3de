//! The routes of one piece, each with the description of its operations.

use axum::routing::{MethodFilter, MethodRouter};
use axum::{Extension, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::PathItemExt;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::app::App;

/// The operations of one path, as [`routes!`](crate::routes) makes them.
pub struct PathRoutes {
    /// The path.
    pub path: String,
    /// What answers each method.
    pub handlers: MethodRouter<App>,
    /// Makes their description.
    pub describe: fn() -> UtoipaMethodRouter<App>,
}

/// axum's router, and what describes the routes in it.
///
/// Descriptions are made when somebody asks: made with the router, they would be much of a function's cold start.
#[derive(Default)]
pub struct Routes {
    router: Router<App>,
    describe: Vec<fn() -> UtoipaMethodRouter<App>>,
}

impl Routes {
    /// These, and a path's.
    pub fn routes(mut self, added: PathRoutes) -> Self {
        self.describe.push(added.describe);
        self.route(&added.path, added.handlers)
    }

    /// These, and a path's that nobody describes.
    pub fn route(mut self, path: &str, handlers: MethodRouter<App>) -> Self {
        self.router = self.router.route(path, handlers);
        self
    }

    /// These, and another piece's.
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.describe.extend(other.describe);
        self
    }

    /// These, whose handlers may ask for this value (`Extension`).
    pub fn with_extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.router = self.router.layer(Extension(value));
        self
    }

    /// The router alone.
    pub fn into_router(self) -> Router<App> {
        self.router
    }

    /// What describes them.
    pub fn openapi(&self) -> OpenApi {
        self.describe.iter().fold(OpenApiRouter::<App>::new(), |all, describe| all.routes(describe())).into_openapi()
    }
}

/// The methods that `utoipa::path` says of a handler.
pub fn methods<P: utoipa::Path>() -> MethodFilter {
    let methods = P::methods().into_iter().map(|method| method.to_method_filter());
    methods.reduce(MethodFilter::or).unwrap_or(MethodFilter::GET)
}

/// The operations of one path: `routes!(menus::read, menus::update)`, each a module's function with `#[utoipa::path]`.
#[macro_export]
macro_rules! routes {
    ($module:ident::$handler:ident $(, $others:ident::$other:ident)* $(,)?) => {
        $crate::http::utoipa_axum::paste! {
            $crate::http::PathRoutes {
                path: <$module::[<__path_ $handler>] as utoipa::Path>::path(),
                handlers: axum::routing::on(
                    $crate::http::methods::<$module::[<__path_ $handler>]>(),
                    $module::$handler,
                )
                $(.on($crate::http::methods::<$others::[<__path_ $other>]>(), $others::$other))*,
                describe: || $crate::http::utoipa_axum::routes!($module::$handler $(, $others::$other)*),
            }
        }
    };
}
