use super::*;

fn firewall() -> Firewall {
    Firewall {
        chain: "DTAAS-foo".into(),
        bridge_prefix: "dtf".into(),
        pool: "10.90.0.0/16".parse().unwrap(),
        ports: vec![80, 443],
        address: None,
    }
}

fn deployment() -> Desired {
    Desired::nothing("foo.com".parse().unwrap(), "/srv/foo".into())
}

#[test]
fn the_gateways_ports_are_open_and_the_rest_of_the_machine_is_not() {
    assert_eq!(
        rules(&deployment(), &firewall(), Spoofing::ReversePath),
        [
            "-m rpfilter --invert -j DROP",
            "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
            "-d 127.0.0.0/8 -j DROP",
            "-d 169.254.0.0/16 -j DROP",
            "-m addrtype --dst-type MULTICAST -j DROP",
            "-m addrtype --dst-type BROADCAST -j DROP",
            "-p tcp -m addrtype --dst-type LOCAL -m tcp --dport 80 -j RETURN",
            "-p tcp -m addrtype --dst-type LOCAL -m tcp --dport 443 -j RETURN",
            "-p icmp -m addrtype --dst-type LOCAL -m icmp --icmp-type echo-request -j RETURN",
            "-m addrtype --dst-type LOCAL -j DROP",
            "-d 10.90.0.0/16 -j DROP",
            &format!(
                "-m comment --comment \"dtaas:foo.com:{}:{}\" -j RETURN",
                hash(&firewall()),
                deployment().instance()
            ),
        ]
    );
}

#[test]
fn a_gateway_at_one_address_opens_its_ports_there_alone() {
    let bound = Firewall {
        address: Some([192, 0, 2, 7].into()),
        ..firewall()
    };
    let rules = rules(&deployment(), &bound, Spoofing::ReversePath);
    let ports: Vec<&String> = rules.iter().filter(|rule| rule.contains("dport")).collect();
    assert_eq!(
        ports,
        [
            "-d 192.0.2.7/32 -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 80 -j RETURN",
            "-d 192.0.2.7/32 -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 443 -j RETURN",
        ]
    );
    assert_ne!(hash(&bound), hash(&firewall()));
}

fn saved(extra: &str) -> String {
    let rules: String = rules(&deployment(), &firewall(), Spoofing::Pool)
        .iter()
        .map(|rule| format!("-A DTAAS-foo {rule}\n"))
        .collect();
    format!(
        "*mangle\n:PREROUTING ACCEPT [0:0]\n:DTAAS-foo - [0:0]\n\
         -A PREROUTING -i dtf+ -j DTAAS-foo\n{extra}{rules}COMMIT\n"
    )
}

fn state(text: &str) -> FirewallState {
    let (chain, v4) = read(text, &deployment().deployment, "DTAAS-foo");
    FirewallState {
        chain,
        v4,
        ..Default::default()
    }
}

#[test]
fn rules_that_are_in_place_do_not_differ() {
    assert_eq!(differs(&firewall(), &state(&saved(""))), None);
}

#[test]
fn a_rule_too_many_a_missing_jump_and_other_ports_differ() {
    let more = saved("-A DTAAS-foo -j ACCEPT\n");
    assert_eq!(
        differs(&firewall(), &state(&more)).as_deref(),
        Some("those of iptables differ")
    );
    let unhooked = saved("").replace("-A PREROUTING -i dtf+ -j DTAAS-foo\n", "");
    assert_eq!(
        differs(&firewall(), &state(&unhooked)).as_deref(),
        Some("iptables does not go through them")
    );
    let other = Firewall {
        ports: vec![8080, 8443],
        address: None,
        ..firewall()
    };
    assert!(differs(&other, &state(&saved(""))).is_some());
    assert_eq!(
        differs(&firewall(), &state("*mangle\nCOMMIT\n")).as_deref(),
        Some("iptables has none")
    );
}

#[test]
fn a_chain_of_the_same_name_without_our_mark_is_foreign() {
    let text = "*mangle\n:DTAAS-foo - [0:0]\n-A DTAAS-foo -j ACCEPT\nCOMMIT\n";
    assert!(foreign(&state(text)));
    assert!(!anything_left(&state(text)));
    assert!(!foreign(&state(&saved(""))));
}

#[test]
fn a_chain_that_somebody_emptied_is_ours_still() {
    let emptied = state("*mangle\n:DTAAS-foo - [0:0]\nCOMMIT\n");
    assert!(!foreign(&emptied));
    assert!(anything_left(&emptied));
    assert!(differs(&firewall(), &emptied).is_some());
    assert!(!anything_left(&state("*mangle\nCOMMIT\n")));
}

#[test]
fn old_jumps_and_an_old_chain_go_with_the_same_commit() {
    let old = ChainState {
        present: true,
        hash: Some("0".repeat(16)),
        rules: 1,
        instance: None,
        jumps: vec!["-A PREROUTING -i dto+ -j DTAAS-old".into()],
    };
    let text = script(
        &["-j DROP".to_owned()],
        &firewall(),
        Some(("DTAAS-old", &old)),
    );
    assert_eq!(
        text,
        "*mangle\n:DTAAS-foo - [0:0]\n-D PREROUTING -i dto+ -j DTAAS-old\n-F DTAAS-old\n-X DTAAS-old\n\
         -A DTAAS-foo -j DROP\n-I PREROUTING 1 -i dtf+ -j DTAAS-foo\nCOMMIT\n"
    );
}

#[test]
fn a_chain_says_of_which_of_two_namesakes_it_is() {
    let found = state(&saved(""));
    assert!(!is_namesakes(&found, &deployment()));
    let copy = Desired {
        root: "/srv/copy".into(),
        ..deployment()
    };
    assert!(is_namesakes(&found, &copy));
    // Those of earlier versions do not say, and are ours by name.
    let earlier = saved("").replace(&format!(":{}", deployment().instance()), "");
    assert!(!is_namesakes(&state(&earlier), &copy));
    assert!(!foreign(&state(&earlier)));
}

#[test]
fn another_deployments_pool_is_what_its_chain_keeps_apart() {
    let own = "lab".parse().unwrap();
    let owner = Owner::of(&deployment());
    let pool = firewall().pool;
    assert_eq!(pools(&saved(""), &own), [(owner.clone(), pool)]);
    // As older programs write it.
    let bare = saved("").replace('"', "");
    assert_eq!(pools(&bare, &own), [(owner, pool)]);
    assert_eq!(pools(&saved(""), &deployment().deployment), []);
    assert_eq!(pools("*mangle\n-A X -d 10.0.0.0/8 -j DROP\n", &own), []);
}
