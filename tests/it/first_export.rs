//! The plain story: everybody once, then nobody, then the new ones.

use crate::support::{Site, subscribed};
use aweber_sandbox::{ClientKind, Settings};

#[test]
fn three_lists_are_exported_once_by_both_kinds_of_client() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let site = Site::with(kind, Settings::default());
        let lists: Vec<u64> = site.sandbox.with(|world| {
            ["News", "Offers", "Tips"]
                .into_iter()
                .map(|name| {
                    let list = world.add_list(name);
                    world.add_subscribers(list, 250);
                    list
                })
                .collect()
        });
        let first = site.run_ok(&[]);
        assert_eq!((first.stdout.as_str(), first.stderr.as_str()), ("", ""));
        assert_eq!(site.emails(), subscribed(&site, &lists));
        assert_eq!(site.files().len(), 1);

        site.forget_requests();
        let idle = site.run_ok(&[]);
        assert_eq!(site.files().len(), 1, "{}", site.dump(&idle));
        eprintln!("{}", site.dump(&idle));

        site.sandbox.with(|world| {
            for list in &lists {
                world.add_subscribers(*list, 2);
            }
        });
        site.run_ok(&[]);
        assert_eq!(site.emails(), subscribed(&site, &lists));
        assert_eq!(site.files().len(), 2);
    }
}
