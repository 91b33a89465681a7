//! What every request passes on its way to a handler: it is named, its key is looked up, it is noted in the audit
//! log if it has to be, and its answer is measured. One service does all of it: each layer of its own would cost every request a
//! clone of the handler and a future on the heap.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use tower::{Layer, Service};

use crate::audit::Trail;
use crate::auth::{Access, authenticate};
use crate::state::App;
use crate::telemetry::{Observed, Route};

/// Puts [`Admission`] before a handler.
#[derive(Clone)]
pub(crate) struct AdmissionLayer {
    app: App,
    access: Access,
    route: Arc<Route>,
}

impl AdmissionLayer {
    /// For the handlers of `path`; requests that match no route have the path "none".
    pub(crate) fn new(app: App, access: Access, path: &str) -> Self {
        Self { app, access, route: Arc::new(Route::new(path)) }
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission { inner, layer: self.clone() }
    }
}

/// Names, admits and measures the requests of one route.
#[derive(Clone)]
pub(crate) struct Admission<S> {
    inner: S,
    layer: AdmissionLayer,
}

impl<S> Service<Request> for Admission<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        // The service that was found ready is the one that is called.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let AdmissionLayer { app, access, route } = self.layer.clone();
        Box::pin(async move {
            let observed = Observed::start(&request, &route);
            let answer = observed.within(async {
                let mut trail = None;
                if access != Access::Public {
                    match authenticate(&app, access, request.headers()).await {
                        Ok(caller) => {
                            trail = Trail::begin(&app, &observed, &request, &caller);
                            request.extensions_mut().insert(caller);
                        }
                        Err(refused) => {
                            app.audit().refused(&app, &observed, &request, &refused);
                            return refused.problem.into_response();
                        }
                    }
                }
                let Some(trail) = trail else {
                    return inner.call(request).await.unwrap_or_else(|never| match never {});
                };
                let response = match trail.permit().await {
                    Ok(()) => inner.call(request).await.unwrap_or_else(|never| match never {}),
                    Err(problem) => problem.into_response(),
                };
                trail.end(&response);
                response
            });
            let response = answer.await;
            Ok(observed.finish(response))
        })
    }
}
