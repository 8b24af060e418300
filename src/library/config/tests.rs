use super::*;

const NOTHING: fn(&str) -> Option<String> = |_| None;

#[test]
fn the_documented_file_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let text = format!(
        "PORT='4001'\nMODE='local'\nLOCAL_PATH ='{path}'\nGITLAB_GROUP ='dtaas'\n\
         GITLAB_URL='https://gitlab.com/api/graphql'\nTOKEN='123-sample-token'\nLOG_LEVEL='debug'\n\
         TEST_PATH='/nowhere'\nAPOLLO_PATH='/lib'\nGRAPHQL_PLAYGROUND='false'\n"
    );
    assert_eq!(
        parse(".env", &text, NOTHING).unwrap(),
        Settings {
            port: 4001,
            mode: Mode::Local(directory.path().to_owned()),
            path: "/lib".into(),
            level: Level::Debug,
            playground: false,
            warnings: Vec::new(),
        }
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = |key: &str| match key {
        "PORT" => Some("5001".to_owned()),
        "APOLLO_PATH" => Some("dtaas/lib/".to_owned()),
        _ => None,
    };
    let settings = parse(
        ".env",
        "PORT=4001\nLOCAL_PATH=/\nAPOLLO_PATH=''",
        environment,
    )
    .unwrap();
    assert_eq!(
        (settings.port, settings.path.as_str()),
        (5001, "/dtaas/lib")
    );
}

#[test]
fn an_empty_path_is_the_root() {
    let settings = parse(".env", "LOCAL_PATH=/\nAPOLLO_PATH=''", NOTHING).unwrap();
    assert_eq!(settings.path, "");
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "PORT='40o1'\nMODE='local'\nLOCAL_PAHT='/srv'\nLOCAL_PATH='files'\nGITLAB_TOKN=x\n\
                LOG_LEVEL=loud\nAPOLLO_PATH='/a b'\nGRAPHQL_PLAYGROUND='yes'\nTOKEN\n";
    assert_eq!(
        parse("lib.env", text, NOTHING).unwrap_err(),
        [
            "lib.env:9: \"TOKEN\": there is no '=' in it; write KEY='value'",
            "lib.env:3: LOCAL_PAHT: no such setting; did you mean LOCAL_PATH?",
            "lib.env:5: GITLAB_TOKN: no such setting; did you mean GITLAB_TOKEN?",
            "lib.env:1: PORT='40o1': not a port; write a number from 1 to 65535",
            "lib.env:4: LOCAL_PATH='files': not an absolute path; write the absolute path of the directory to serve",
            "lib.env:7: APOLLO_PATH='/a b': the part \"a b\" must be letters, digits, '.', '_' and '-'; write '/lib' or ''",
            "lib.env:6: LOG_LEVEL='loud': no such level; write 'error', 'warn', 'info' or 'debug'",
            "lib.env:8: GRAPHQL_PLAYGROUND='yes': neither true nor false; write 'true' or 'false'",
        ]
    );
}

#[test]
fn the_directory_must_be_named() {
    assert_eq!(
        parse(".env", "", NOTHING).unwrap_err(),
        [".env: LOCAL_PATH is not set; write the absolute path of the directory to serve"]
    );
}

#[test]
fn in_gitlab_mode_the_settings_of_gitlab_count() {
    let text = "MODE='gitlab'\nLOCAL_PATH='nowhere'\nGITLAB_URL='https://gitlab.foo.com/api/graphql'\n\
                GITLAB_GROUP='company/dtaas'\nTOKEN='glpat-1'\nGITLAB_TOKEN='glpat-2'\n";
    let settings = parse(".env", text, NOTHING).unwrap();
    let Mode::Gitlab(gitlab) = settings.mode else {
        panic!("{settings:?}");
    };
    assert_eq!(gitlab.url.as_str(), "https://gitlab.foo.com/api/graphql");
    assert_eq!(gitlab.group, "company/dtaas");
    assert_eq!(gitlab.token.expose(), "glpat-1");
    assert_eq!(gitlab.common_project, "commons");
    assert_eq!(gitlab.authorities, None);
    assert_eq!(gitlab.timeout.as_secs(), 15);

    // The name that v0.2's code read will do.
    let text = text.replace("TOKEN='glpat-1'\n", "GITLAB_COMMON_PROJECT='shared'\n");
    let Mode::Gitlab(gitlab) = parse(".env", &text, NOTHING).unwrap().mode else {
        panic!("{text}");
    };
    assert_eq!(gitlab.token.expose(), "glpat-2");
    assert_eq!(gitlab.common_project, "shared");
}

#[test]
fn all_problems_of_gitlab_are_told_and_no_secret() {
    let text = "MODE='gitlab'\nGITLAB_URL='https://me:hunter2@gitlab.com'\nTOKEN='hunter2 '\n\
                GITLAB_COMMON_PROJECT='a/b'\nGITLAB_CA_FILE='/none'\nGITLAB_TIMEOUT='1m'\nTOKEN hunter2\n\
                export GITLAB_TOKEN: hunter2\n";
    let problems = parse("lib.env", text, NOTHING).unwrap_err();
    assert_eq!(
        problems,
        [
            "lib.env:7: \"TOKEN\": there is no '=' in it; write KEY='value'",
            "lib.env:8: \"GITLAB_TOKEN\": there is no '=' in it; write KEY='value'",
            "lib.env:2: GITLAB_URL='…': a name or a password has no place in it; write the address of GitLab's API, as in \
             'https://gitlab.com/api/graphql'",
            "lib.env:3: TOKEN='…': it holds what no token holds; write an access token of the group, with the scope read_api",
            "lib.env: GITLAB_GROUP is not set; write the path of the group, as in 'dtaas'",
            "lib.env:4: GITLAB_COMMON_PROJECT='a/b': no project has such a path; write the project's path in the group, as in \
             'commons'",
            "lib.env:5: GITLAB_CA_FILE='/none': cannot be read (No such file or directory (os error 2)); write the path of a file \
             with the certificate of GitLab's authority, in PEM form",
            "lib.env:6: GITLAB_TIMEOUT='1m': not such a time; write a number of seconds from 1 to 25",
        ]
    );
    assert!(!problems.join("\n").contains("hunter2"));
}

#[test]
fn an_unknown_mode_is_told() {
    assert_eq!(
        parse(".env", "MODE='s3'", NOTHING).unwrap_err(),
        [".env:1: MODE='s3': no such mode; write 'local' or 'gitlab'"]
    );
}
