//! The service's counters in the text format of Prometheus (OpenMetrics 1.0).

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use realtime_adapters::jwt::Issuers;
use realtime_schema::ErrorCode;
use realtime_service::Service;

use super::{App, body::Refused, key_metrics::KeyMetrics};

/// Reads the counters when they are asked for.
#[derive(Debug)]
struct Counters(Service);

impl Collector for Counters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let m = self.0.metrics();
        let gauges = [
            ("connections", "Connections now.", m.connections),
            ("topics", "Topics with at least one subscriber now.", m.topics),
            ("subscriptions", "Subscriptions now.", m.subscriptions),
        ];
        for (name, help, value) in gauges {
            let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        let counters = [
            ("accepted_connections", "Connections that were let in.", m.connections_total),
            ("refused_connections", "Connections that were not let in.", m.refusals.connections()),
            ("publications", "Messages published on this node.", m.publications_total),
            ("envelopes", "Messages delivered on this node, whoever published them.", m.envelopes_total),
            ("deliveries", "Messages that connections took into their queues.", m.deliveries_total),
            (
                "dropped",
                "Messages dropped from a slow reader's queue: told of by a gap, or superseded by a later one.",
                m.dropped_total,
            ),
            ("closed_slow", "Connections closed because they read too slowly.", m.closed_slow_total),
            ("commands", "Text messages that clients sent.", m.commands_total),
            ("command_errors", "Commands answered by an error.", m.errors_total),
            ("frames_sent", "Frames written to sockets.", m.frames_out_total),
            ("bytes_sent", "Bytes of those frames.", m.bytes_out_total),
            ("writes", "Calls to write them.", m.writes_total),
            ("hook_errors", "Hooks of the application that failed or took too long.", m.hook_errors_total),
        ];
        for (name, help, value) in counters {
            let value = ConstCounter::new(value);
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        let help = "Clients and callers of the HTTP API that were refused, by reason.";
        let mut refusals = encoder.encode_descriptor("refusals", help, None, MetricType::Counter)?;
        for (reason, count) in m.refusals.iter() {
            ConstCounter::new(count).encode(refusals.encode_family(&[("reason", reason.as_str())])?)?;
        }
        Ok(())
    }
}

/// Everything that is exposed.
pub(super) fn registry(service: Service, verifier: Arc<Issuers>) -> Registry {
    let mut registry = Registry::with_prefix("realtime");
    registry.register_collector(Box::new(Counters(service)));
    registry.register_collector(Box::new(KeyMetrics(verifier)));
    registry
}

pub(super) async fn expose(State(app): State<Arc<App>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &app.metrics) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => Refused::new(ErrorCode::Internal, "the metrics can't be written").into_response(),
    }
}
