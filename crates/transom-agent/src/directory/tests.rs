//! Tests of the ready-made directories.

use std::sync::Arc;

use transom_types::Mailbox;

use super::*;

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn lookup(directory: &dyn Directory, text: &str) -> DirectoryAnswer {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(directory.lookup(&mailbox(text))).unwrap()
}

fn alias(of: &str) -> DirectoryAnswer {
    DirectoryEntry::alias(mailbox(of)).into()
}

fn people() -> MemoryDirectory {
    MemoryDirectory::default()
        .with(&mailbox("ann@contoso.com"), DirectoryEntry::mailbox())
        .with(&mailbox("ann.smith@contoso.com"), DirectoryEntry::alias(mailbox("ann@contoso.com")))
        .with(&mailbox("old@contoso.com"), DirectoryEntry::alias(mailbox("old@fabrikam.com")))
        .with(&mailbox("a+b@contoso.com"), DirectoryEntry::mailbox())
}

#[test]
fn memory_finds_an_address_in_any_spelling() {
    let directory = people().with(&mailbox("eve@m\u{fc}nchen.example"), DirectoryEntry::mailbox());
    for known in [
        "ann@contoso.com",
        "ANN@Contoso.COM",
        "\"ann\"@contoso.com",
        "eve@xn--mnchen-3ya.example",
        "Eve@M\u{dc}NCHEN.example",
    ] {
        assert!(lookup(&directory, known).is_known(), "{known}");
    }
    for unknown in ["an@contoso.com", "ann@contoso.org", "ann@[192.0.2.1]", "ann+x@contoso.com"] {
        assert_eq!(lookup(&directory, unknown), DirectoryAnswer::Unknown, "{unknown}");
    }
}

#[test]
fn another_spelling_of_a_local_part_is_another_name() {
    let directory = FallbackDirectory::new(people()).with_separator('+');
    for (asked, answer) in [
        ("ANN@contoso.com", alias("ann@contoso.com")),
        ("Ann+News@contoso.com", alias("ann+News@contoso.com")),
        ("ann+News@contoso.com", DirectoryEntry::mailbox().into()),
        ("\"ann\"@CONTOSO.com", DirectoryEntry::mailbox().into()),
        ("Ann.Smith@contoso.com", alias("ann.smith@contoso.com")),
    ] {
        assert_eq!(lookup(&directory, asked), answer, "{asked}");
    }
}

#[test]
fn a_later_entry_replaces_an_earlier_one() {
    let mut directory = people();
    let before = directory.insert(&mailbox("Ann@contoso.com"), DirectoryEntry::group([]));
    assert_eq!(before, Some(DirectoryEntry::mailbox()));
    assert_eq!(directory.len(), 4);
}

#[test]
fn a_sub_address_is_what_the_address_without_it_is() {
    let directory = FallbackDirectory::new(people()).with_separator('+');
    for (asked, answer) in [
        ("ann+news@contoso.com", DirectoryEntry::mailbox().into()),
        ("ann+a+b@contoso.com", DirectoryEntry::mailbox().into()),
        // An alias within the domain keeps it; elsewhere nobody knows what a separator is.
        ("ann.smith+news@contoso.com", alias("ann+news@contoso.com")),
        ("old+news@contoso.com", alias("old@fabrikam.com")),
        // What is known as it is written is no sub-address.
        ("a+b@contoso.com", DirectoryEntry::mailbox().into()),
        ("bob+news@contoso.com", DirectoryAnswer::Unknown),
        ("+news@contoso.com", DirectoryAnswer::Unknown),
        ("\"ann+news\"@contoso.com", DirectoryAnswer::Unknown),
    ] {
        assert_eq!(lookup(&directory, asked), answer, "{asked}");
    }
}

#[test]
fn catch_all_takes_what_nobody_has_in_its_domain_only() {
    let directory = FallbackDirectory::new(people())
        .with_separator('+')
        .with_catch_all(&"contoso.com".parse().unwrap(), mailbox("ann@contoso.com"));
    for (asked, answer) in [
        ("nobody@contoso.com", alias("ann@contoso.com")),
        ("nobody@CONTOSO.com", alias("ann@contoso.com")),
        ("ann+x@contoso.com", DirectoryEntry::mailbox().into()),
        ("nobody@sub.contoso.com", DirectoryAnswer::Unknown),
        ("nobody@[192.0.2.1]", DirectoryAnswer::Unknown),
    ] {
        assert_eq!(lookup(&directory, asked), answer, "{asked}");
    }
}

#[test]
fn a_catch_all_mailbox_that_does_not_exist_is_no_alias_of_itself() {
    let directory = FallbackDirectory::new(MemoryDirectory::default())
        .with_catch_all(&"contoso.com".parse().unwrap(), mailbox("ann@contoso.com"));
    assert_eq!(lookup(&directory, "Ann@contoso.com"), DirectoryAnswer::Unknown);
}

#[test]
fn a_function_is_a_directory() {
    let directory = directory_fn(|mailbox| match mailbox.as_str() {
        "ann@contoso.com" => Ok(DirectoryAnswer::Known),
        _ => Ok(DirectoryAnswer::Unknown),
    });
    let directory: Arc<dyn Directory> = Arc::new(directory);
    assert!(lookup(&*directory, "ann@contoso.com").is_known());
    assert!(!lookup(&*directory, "bob@contoso.com").is_known());
}

#[cfg(feature = "directory-file")]
mod file {
    use super::*;

    const TOML: &str = r#"
separator = "+"

[catch_all]
"contoso.com" = "ann@contoso.com"

[[mailbox]]
address = "ann@contoso.com"
aliases = ["ann.smith@contoso.com"]
policy = { receive_octets_max = 1_000, reject_from = ["carl@fabrikam.com"] }

[[mailbox]]
address = "dan@contoso.com"
forward_to = "dan@fabrikam.com"
keep_copy = true

[[group]]
address = "all@contoso.com"
members = ["ann@contoso.com", "bob@contoso.com"]
owner = "ann@contoso.com"
reports = "owner"
[group.policy]
authenticated_only = true
accept_only_from = ["all@contoso.com"]
send_octets_max = 0x10
send_recipients_max = 7

[[contact]]
address = "bob@contoso.com"
external = "bob@fabrikam.com"
"#;

    #[test]
    fn every_field_of_a_file_counts() {
        let directory = FallbackDirectory::from_toml(TOML).unwrap();
        let ann = RecipientPolicy::default()
            .with_receive_octets_max(1_000)
            .with_reject_from([mailbox("carl@fabrikam.com")]);
        let all = RecipientPolicy::default()
            .authenticated_only()
            .with_accept_only_from([mailbox("all@contoso.com")])
            .with_send_octets_max(16)
            .with_send_recipients_max(7);
        let members = [mailbox("ann@contoso.com"), mailbox("bob@contoso.com")];
        for (asked, entry) in [
            ("ann+x@contoso.com", DirectoryEntry::mailbox().with_policy(ann)),
            ("ann.smith@contoso.com", DirectoryEntry::alias(mailbox("ann@contoso.com"))),
            ("dan@contoso.com", DirectoryEntry::forwarding(mailbox("dan@fabrikam.com"), true)),
            (
                "all@contoso.com",
                DirectoryEntry::group(members)
                    .with_reports(GroupReports::Owner(mailbox("ann@contoso.com")))
                    .with_policy(all),
            ),
            ("bob@contoso.com", DirectoryEntry::contact(mailbox("bob@fabrikam.com"))),
            ("nobody@contoso.com", DirectoryEntry::alias(mailbox("ann@contoso.com"))),
        ] {
            assert_eq!(lookup(&directory, asked), entry.into(), "{asked}");
        }
    }

    #[test]
    fn an_empty_file_knows_nobody() {
        let directory = FallbackDirectory::from_toml("").unwrap();
        assert!(directory.inner().is_empty());
        assert_eq!(lookup(&directory, "ann+x@contoso.com"), DirectoryAnswer::Unknown);
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named_with_its_place() {
        let ann = "[[mailbox]]\naddress = \"ann@contoso.com\"\n";
        for (text, told) in [
            ("[[mailbox]\n", "line 1, column 11: "),
            (
                "seperator = \"+\"",
                "line 1, column 1: there is no field seperator; do you mean separator?",
            ),
            ("[[mailbox]]\nadress = \"a@b\"", "line 1, column 1: address is missing"),
            (
                &format!("{ann}alias = []"),
                "line 3, column 1: there is no field alias; do you mean aliases?",
            ),
            (&format!("{ann}zzzzzzzz = 1"), "line 3, column 1: there is no field zzzzzzzz"),
            (
                &format!("{ann}policy = {{ authenticated = true }}"),
                "line 3, column 12: there is no field authenticated; \
                 do you mean authenticated_only?",
            ),
            (&format!("{ann}\u{e4}=1"), "line 3, column 1: "),
            (
                "[[mailbox]]\naddress = \"\u{e4} b\"",
                "line 2, column 11: \"\u{e4} b\" is no mailbox",
            ),
            ("mailbox = 1", "line 1, column 11: mailbox is a list"),
            ("mailbox = [1]", "line 1, column 12: mailbox is a table"),
            (&format!("{ann}keep_copy = 1"), "line 3, column 13: keep_copy is true or false"),
            (
                &format!("{ann}policy.send_recipients_max = 4294967296"),
                "line 3, column 30: send_recipients_max is a number that is not negative",
            ),
            (
                &format!("{ann}policy.receive_octets_max = -1"),
                "line 3, column 29: receive_octets_max is a number that is not negative",
            ),
            (
                &format!("{ann}aliases = [\"ANN@contoso.com\"]"),
                "line 3, column 12: ANN@contoso.com stands twice in the directory",
            ),
            ("separator = \"++\"", "line 1, column 13: separator is one character"),
            (
                "[[group]]\naddress = \"a@contoso.com\"\nreports = \"owner\"",
                "line 1, column 1: owner is missing",
            ),
            (
                "[[group]]\naddress = \"a@contoso.com\"\nreports = \"all\"",
                "line 3, column 11: reports is \"sender\", \"owner\" or \"nobody\"",
            ),
            ("[[contact]]\naddress = \"a@contoso.com\"", "line 1, column 1: external is missing"),
            (
                "[catch_all]\n\"contoso.com\" = \"ann@contoso.com\"",
                "line 2, column 17: ann@contoso.com is not in the directory",
            ),
            ("[catch_all]\n\"-\" = \"ann@contoso.com\"", "line 2, column 1: \"-\" is no domain"),
        ] {
            let error = FallbackDirectory::from_toml(text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_error_of_a_file_is_one_line() {
        let error = FallbackDirectory::from_toml("a = 1\nb = [\nc").unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}
