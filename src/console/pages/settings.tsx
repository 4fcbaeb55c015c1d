/** Keys, the audit trail, the gateway's limits, and how the console looks. */
import { useRoute } from 'preact-iso';
import { Empty } from '../components/panel.tsx';
import { Tabs } from '../components/tabs.tsx';
import { setTitle } from '../components/title.ts';
import { AuditTab } from './settings/audit-tab.tsx';
import { KeysTab } from './settings/keys-tab.tsx';
import { LimitsTab } from './settings/limits-tab.tsx';
import { ThemeTab } from './settings/theme-tab.tsx';

export function SettingsPage() {
  setTitle('Settings');
  const tab = useRoute().params.tab || 'keys';
  return (
    <>
      <h1>Settings</h1>
      <Tabs
        base="/settings"
        tabs={[
          ['keys', 'Keys'],
          ['audit', 'Audit trail'],
          ['limits', 'Limits'],
          ['theme', 'Theme'],
        ]}
        current={tab}
      />
      <div class="below-tabs">
        <Tab tab={tab} />
      </div>
    </>
  );
}

function Tab({ tab }: { readonly tab: string }) {
  switch (tab) {
    case 'keys':
      return <KeysTab />;
    case 'audit':
      return <AuditTab />;
    case 'limits':
      return <LimitsTab />;
    case 'theme':
      return <ThemeTab />;
    default:
      return <Empty>There is no such tab.</Empty>;
  }
}
