//! The generated part of the program: for each function one that calls it rightly and in every wrong way.

use std::fmt::Write;

use crate::fill::{OK, Try, WRONG_SIZES, fill};
use crate::header::{Declaration, Function, Header};

/// A source in C, and how many calls are in it.
pub struct Made {
    pub text: String,
    /// Calls in `try_everything`, which is run once with all at work and once with all stopped.
    pub calls: usize,
    /// Calls in `try_values`.
    pub value_calls: usize,
}

/// A call: one try in the place of a right value, or only right values.
type Case<'a> = Option<(usize, &'a Try)>;

pub fn write(header: &Header) -> Made {
    let mut text = "#include \"world.h\"\n".to_owned();
    let (mut everything, mut values, mut clients, mut events) =
        (String::new(), String::new(), String::new(), String::new());
    let (mut calls, mut value_calls) = (0, 0);
    for function in &header.functions {
        let tries = tries(function, header);
        let name = &function.name;
        write!(text, "\nvoid try_{name}(struct world *world)\n{{\n    (void)world;\n").unwrap();
        for (place, it) in &tries {
            text += &call(function, Some((*place, it)), header);
        }
        // Rightly at the end: that may be what ends the handle.
        text += &call(function, None, header);
        text += "}\n";
        let line = format!("    with_world(try_{name}, stopped);\n");
        if takes(function, "homing_value *") {
            value_calls += tries.len() + 1;
            values += &format!("    try_{name}(world);\n");
        } else {
            calls += tries.len() + 1;
            everything += &line;
        }
        if takes(function, "homing_client *") && !ends(name) {
            clients += &format!("    try_{name}(&here);\n");
        }
        if takes(function, "homing_event *") && function.returns != "void" {
            events += &format!("    try_{name}(&here);\n");
        }
    }
    write!(
        text,
        "\nvoid try_everything(bool stopped)\n{{\n{everything}}}\n\
         \nvoid try_values(struct world *world)\n{{\n{values}}}\n\
         \nvoid try_client(homing_client *client, const struct world *world)\n{{\n\
         \x20   struct world here = *world;\n    here.client = client;\n    here.free_running = true;\n{clients}}}\n\
         \nvoid try_event(homing_event *event)\n{{\n\
         \x20   struct world here = {{.event = event}};\n{events}}}\n"
    )
    .unwrap();
    Made { text, calls, value_calls }
}

fn takes(function: &Function, kind: &str) -> bool {
    function.parameters.iter().any(|it| it.kind.trim_start_matches("const ") == kind)
}

/// Those that end a client, and are called by the scenarios in their own time.
fn ends(name: &str) -> bool {
    ["homing_client_stop", "homing_client_free"].contains(&name)
}

/// What a parameter is for.
enum Role<'a> {
    In,
    /// A place for a handle of this noun.
    Handle(&'a str),
    /// The place for the error.
    Error,
    /// A place for a number of this type.
    Number(&'a str),
    /// A place for a struct of this type, which grows.
    Struct(&'a str),
}

fn role(it: &Declaration) -> Role<'_> {
    match &*it.kind {
        "homing_error **" => Role::Error,
        "homing_action *"
        | "homing_summary *"
        | "homing_standing *"
        | "homing_location *"
        | "homing_lane_account *"
        | "homing_whereabouts *" => Role::Struct(it.kind.trim_end_matches(" *")),
        "uint64_t *" | "int64_t *" | "int32_t *" => Role::Number(it.kind.trim_end_matches(" *")),
        kind => match kind.strip_prefix("homing_").and_then(|rest| rest.strip_suffix(" **")) {
            Some(noun) => Role::Handle(noun),
            None => Role::In,
        },
    }
}

/// Everything that is tried of each parameter.
fn tries(function: &Function, header: &Header) -> Vec<(usize, Try)> {
    let mut all = Vec::new();
    for (place, it) in function.parameters.iter().enumerate() {
        let mut add = |what: &str, value: String, expected| {
            all.push((place, Try { what: what.to_owned(), value, expected, beside: &[] }));
        };
        let null = if matches!(&*it.name, "error" | "wake" | "number" | "settled" | "at_most") {
            OK
        } else {
            "HOMING_ERROR_NULL"
        };
        match role(it) {
            Role::In => all.extend(fill(&function.name, it, header).tries.into_iter().map(|it| (place, it))),
            Role::Error => add("NULL", "NULL".to_owned(), null),
            Role::Handle(_) | Role::Number(_) => add("NULL", "NULL".to_owned(), null),
            Role::Struct(kind) => {
                add("NULL", "NULL".to_owned(), null);
                for (size, said) in WRONG_SIZES {
                    let [size, said] = [size, said].map(|it| it.replace("WHOLE", &format!("sizeof({kind})")));
                    add(
                        &format!("struct_size {said}"),
                        format!("place({size}, {said})"),
                        "HOMING_ERROR_STRUCT_SIZE",
                    );
                }
            }
        }
    }
    all
}

/// A block that makes one call and looks at everything that came of it.
fn call(function: &Function, case: Case<'_>, header: &Header) -> String {
    let name = &function.name;
    // Of an error, the status is what it tells.
    let has_status = function.returns == "homing_status" && name != "homing_error_status";
    let expected = case.map_or(OK, |(_, it)| it.expected);
    let what = match case {
        Some((place, it)) => format!("{} {}", function.parameters[place].name, it.what),
        None => "rightly".to_owned(),
    };
    let (mut before, mut arguments, mut untouched, mut written) =
        (String::new(), Vec::new(), String::new(), String::new());
    for (place, it) in function.parameters.iter().enumerate() {
        let tried = case.filter(|(at, _)| *at == place).map(|(_, it)| &*it.value);
        let name = &it.name;
        let is_null = tried == Some("NULL");
        match role(it) {
            Role::In => {
                let right = || fill(&function.name, it, header).right;
                arguments.push(tried.map_or_else(right, str::to_owned));
            }
            Role::Error => {
                before += &format!("        homing_error *{name} = UNTOUCHED;\n");
                untouched += &match is_null {
                    true => format!("            check({name} == UNTOUCHED);\n"),
                    false => format!("            check_error({name}, status);\n"),
                };
                written += &format!("            check({name} == UNTOUCHED);\n");
                arguments.push(tried.map_or_else(|| format!("&{name}"), str::to_owned));
            }
            Role::Handle(noun) => {
                before += &format!("        homing_{noun} *{name} = UNTOUCHED;\n");
                untouched += &format!("            check({name} == UNTOUCHED);\n");
                written += &format!(
                    "            check({name} != UNTOUCHED);\n            homing_{noun}_free({name});\n"
                );
                arguments.push(tried.map_or_else(|| format!("&{name}"), str::to_owned));
            }
            Role::Number(kind) => {
                before += &format!("        {kind} {name} = UNTOUCHED_NUMBER;\n");
                untouched += &format!("            check({name} == UNTOUCHED_NUMBER);\n");
                if !is_null {
                    written += &format!("            check({name} != UNTOUCHED_NUMBER);\n");
                }
                arguments.push(tried.map_or_else(|| format!("&{name}"), str::to_owned));
            }
            Role::Struct(kind) => {
                let made = tried
                    .filter(|value| value.starts_with("place("))
                    .map_or_else(|| format!("place(sizeof({kind}), sizeof({kind}))"), str::to_owned);
                before += &format!("        {kind} *{name} = {made};\n");
                let size = made.trim_start_matches("place(").split(", ").next().unwrap();
                untouched += &format!("            check_untouched({name}, {made}, {size});\n");
                written += &format!("            check_written({name}, sizeof({kind}));\n");
                let given = tried.filter(|value| !value.starts_with("place("));
                arguments.push(given.map_or_else(|| name.clone(), str::to_owned));
            }
        }
    }
    if name == "homing_client_start" && !what.contains("user_data NULL") {
        written += "            world->told.started++;\n";
    }
    let made = format!("{name}({})", arguments.join(", "));
    let what = what.replace('\\', "\\\\").replace('"', "\\\"");
    let mut block = format!("    {{\n        begin(\"{name}: {what}\");\n{before}");
    if has_status {
        let expected = match (&**name, expected) {
            ("homing_client_next_event", OK) => "world->stopped ? HOMING_ERROR_STOPPED : HOMING_OK",
            ("homing_client_join", OK) => "world->stopped ? HOMING_OK : HOMING_ERROR_TIMEOUT",
            (_, expected) => expected,
        };
        write!(
            block,
            "        homing_status status = {made};\n        check_status(status, {expected}, world);\n"
        )
        .unwrap();
        if !untouched.is_empty() {
            write!(
                block,
                "        if (status != HOMING_OK) {{\n{untouched}        }} else {{\n{written}        }}\n"
            )
            .unwrap();
        }
    } else if function.returns == "void" {
        writeln!(block, "        {made};").unwrap();
        if let (Some(noun), None) =
            (name.strip_prefix("homing_").and_then(|it| it.strip_suffix("_free")), case)
        {
            writeln!(block, "        world->{noun} = NULL;").unwrap();
        }
    } else {
        let nothing = expected != OK;
        let look = match &*function.returns {
            "homing_text" => format!("check_text({made}, {nothing});"),
            "homing_bytes" => format!("check_bytes({made}, {nothing});"),
            _ if nothing => {
                let value = match &**name {
                    "homing_event_duration_ms" => "-1",
                    "homing_judgement_not_before_s" | "homing_judgement_not_after_s" => "-1",
                    // What is not there is not believed.
                    "homing_judgement_reject" => "HOMING_REJECT_NO_CERTIFICATE",
                    _ => "0",
                };
                format!("check({made} == {value});")
            }
            _ => format!("(void){made};"),
        };
        writeln!(block, "        {look}").unwrap();
    }
    block + "        end();\n    }\n"
}
