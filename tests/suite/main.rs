mod machine_engine;
mod machine_faults;
mod machine_lab;
