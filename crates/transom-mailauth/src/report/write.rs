//! A report as XML, in the order of RFC 9990 section 3.1.1.

use std::borrow::Cow;

use quick_xml::escape::escape;

use super::{AggregateReport, ReportRecord};
use crate::dmarc::{DmarcPolicy, DmarcRecord};

pub(super) const NAMESPACE: &str = "urn:ietf:params:xml:ns:dmarc-2.0";

/// Elements, one a line.
struct Writer(String);

impl Writer {
    fn open(&mut self, name: &str) {
        self.0.extend(["<", name, ">\n"]);
    }

    fn close(&mut self, name: &str) {
        self.0.extend(["</", name, ">\n"]);
    }

    fn text(&mut self, name: &str, text: &str) {
        let text: Cow<'_, str> = clean(text);
        self.0.extend(["<", name, ">", escape(&*text).as_ref(), "</", name, ">\n"]);
    }

    fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }
}

/// XML has no place for control characters, however they are written.
fn clean(text: &str) -> Cow<'_, str> {
    let is_foreign = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(is_foreign) {
        Cow::Owned(text.replace(is_foreign, "?"))
    } else {
        Cow::Borrowed(text)
    }
}

pub(super) fn to_xml(report: &AggregateReport) -> String {
    let mut xml = Writer("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned());
    xml.0.extend(["<feedback xmlns=\"", NAMESPACE, "\">\n"]);
    xml.text("version", "1.0");
    xml.open("report_metadata");
    xml.text("org_name", &report.org_name);
    xml.text("email", &report.email);
    xml.maybe("extra_contact_info", report.extra_contact_info.as_deref());
    xml.text("report_id", &report.report_id);
    xml.open("date_range");
    xml.text("begin", &report.begin.to_string());
    xml.text("end", &report.end.to_string());
    xml.close("date_range");
    for error in &report.errors {
        xml.text("error", error);
    }
    xml.close("report_metadata");
    policy(&mut xml, &report.policy.domain, &report.policy.record);
    for one in report.records.iter().take(AggregateReport::RECORDS_MAX) {
        record(&mut xml, one);
    }
    xml.close("feedback");
    xml.0
}

fn policy(xml: &mut Writer, domain: &str, record: &DmarcRecord) {
    let word = |policy: Option<DmarcPolicy>| policy.map(DmarcPolicy::as_str);
    xml.open("policy_published");
    xml.text("domain", domain);
    xml.text("discovery_method", "treewalk");
    xml.text("p", word(record.policy).unwrap_or("none"));
    xml.maybe("sp", word(record.subdomain_policy));
    xml.maybe("np", word(record.missing_policy));
    xml.maybe("fo", record.failure_options.as_deref());
    xml.text("adkim", record.dkim_alignment.as_str());
    xml.text("aspf", record.spf_alignment.as_str());
    xml.text("testing", if record.is_test { "y" } else { "n" });
    xml.close("policy_published");
}

fn record(xml: &mut Writer, record: &ReportRecord) {
    let word = |is_aligned| if is_aligned { "pass" } else { "fail" };
    xml.open("record");
    xml.open("row");
    xml.text("source_ip", &record.source_ip.to_string());
    xml.text("count", &record.count.to_string());
    xml.open("policy_evaluated");
    xml.text("disposition", record.disposition.as_str());
    xml.text("dkim", word(record.dkim_aligned));
    xml.text("spf", word(record.spf_aligned));
    for (kind, comment) in &record.overrides {
        xml.open("reason");
        xml.text("type", kind);
        xml.maybe("comment", Some(comment.as_str()).filter(|comment| !comment.is_empty()));
        xml.close("reason");
    }
    xml.close("policy_evaluated");
    xml.close("row");
    xml.open("identifiers");
    xml.text("header_from", &record.header_from);
    xml.maybe("envelope_from", record.envelope_from.as_deref());
    xml.maybe("envelope_to", record.envelope_to.as_deref());
    xml.close("identifiers");
    xml.open("auth_results");
    for entry in record.dkim.iter().take(ReportRecord::SIGNATURES_MAX) {
        xml.open("dkim");
        xml.text("domain", &entry.domain);
        xml.text("selector", &entry.selector);
        xml.text("result", &entry.result);
        xml.close("dkim");
    }
    if let Some((domain, result)) = &record.spf {
        xml.open("spf");
        xml.text("domain", domain);
        xml.text("scope", "mfrom");
        xml.text("result", result);
        xml.close("spf");
    }
    xml.close("auth_results");
    xml.close("record");
}
